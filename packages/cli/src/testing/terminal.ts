import { execFile, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { vi } from 'vitest';
import { entry, type World } from './spawn-berth.ts';

const run = promisify(execFile);
export const hasTmux = spawnSync('tmux', ['-V']).status === 0;

/** On a busy machine a process of the command alone takes seconds to start. */
const patience = { timeout: 45_000, interval: 50 };

/** A real terminal around the command. */
export class Terminal {
  readonly #socket: string;

  constructor(directory: string) {
    this.#socket = join(directory, 'tmux');
  }

  async #tmux(...args: string[]): Promise<string> {
    return (await run('tmux', ['-S', this.#socket, '-f', '/dev/null', ...args])).stdout;
  }

  async open(
    world: World,
    columns: number,
    rows: number,
    args: readonly string[],
    extra: Record<string, string>,
  ) {
    const env = Object.entries(world.env(extra)).map(([name, value]) => `${name}=${value}`);
    const size = ['-x', String(columns), '-y', String(rows)];
    const command = ['env', '-i', 'TERM=screen-256color', ...env, process.execPath, entry, ...args];
    // A shell stays after the command's end, so that what is left on the screen can be looked at; a late Ctrl-C too
    // must not take it away.
    const shell = ['sh', '-c', `trap : INT; "$@"; echo "exit $?"; trap '' INT; exec cat`, 'sh', ...command];
    await this.#tmux('new-session', '-d', ...size, '-s', 'a', '-c', world.repository, ...shell);
  }

  /** An interactive shell, in which `$berth` is the command; what is typed is its input. */
  async openShell(world: World, columns: number, rows: number, extra: Record<string, string>): Promise<void> {
    const env = Object.entries(world.env(extra)).map(([name, value]) => `${name}=${value}`);
    const size = ['-x', String(columns), '-y', String(rows)];
    const own = ['TERM=screen-256color', 'PS1=ready> ', `berth=${process.execPath} ${entry}`];
    const shell = ['env', '-i', ...own, ...env, 'sh', '-i'];
    await this.#tmux('new-session', '-d', ...size, '-s', 'a', '-c', world.repository, ...shell);
    await this.shows('ready>');
  }

  async screen(): Promise<string> {
    return this.#tmux('capture-pane', '-p', '-t', 'a');
  }

  /** Everything, also what has scrolled away. */
  async history(): Promise<string> {
    return this.#tmux('capture-pane', '-p', '-J', '-S', '-500', '-t', 'a');
  }

  async shows(text: string | RegExp): Promise<void> {
    await vi.waitFor(async () => {
      const screen = await this.screen();
      if (typeof text === 'string' ? screen.includes(text) : text.test(screen)) return;
      throw new Error(`the screen does not show ${String(text)}:\n${screen}`);
    }, patience);
  }

  /** Waits until the text has been shown so many times, also where it has scrolled away since. */
  async hasShown(text: string, times: number): Promise<void> {
    await vi.waitFor(async () => {
      const history = await this.history();
      if (history.split(text).length - 1 === times) return;
      throw new Error(`${text} has not been shown ${times} times:\n${history}`);
    }, patience);
  }

  /** Presses keys one right after the other. */
  async press(...keys: readonly string[]): Promise<void> {
    await this.#tmux('send-keys', '-t', 'a', ...keys);
  }

  /** Characters as they are, no names of keys. */
  async type(text: string): Promise<void> {
    await this.#tmux('send-keys', '-t', 'a', '-l', text);
  }

  /** As a terminal pastes: between marks, when the program asked for them. */
  async paste(text: string): Promise<void> {
    await this.#tmux('set-buffer', text);
    await this.#tmux('paste-buffer', '-p', '-t', 'a');
  }

  /** Process id of the command. */
  async pidOf(name: string): Promise<number> {
    const tty = (await this.#tmux('display-message', '-p', '-t', 'a', '#{pane_tty}')).trim();
    const { stdout } = await run('ps', ['-t', tty, '-o', 'pid=,args=']);
    const line = stdout.split('\n').find((one) => one.includes(name) && !one.includes('sh -c'));
    return Number(line?.trim().split(' ')[0]);
  }

  /** Whether the terminal gives whole lines and echoes them, as a shell expects it. */
  async isCooked(): Promise<boolean> {
    const tty = (await this.#tmux('display-message', '-p', '-t', 'a', '#{pane_tty}')).trim();
    const { stdout } = await run('stty', ['-a', '-F', tty]);
    const flags = new Set(stdout.split(/\s+/));
    return ['icanon', 'echo', 'isig'].every((flag) => flags.has(flag));
  }

  async isAlternate(): Promise<boolean> {
    return (await this.#tmux('display-message', '-p', '-t', 'a', '#{alternate_on}')).trim() === '1';
  }

  async resize(columns: number, rows: number): Promise<void> {
    await this.#tmux('resize-window', '-t', 'a', '-x', String(columns), '-y', String(rows));
  }

  async showsCursor(): Promise<boolean> {
    return (await this.#tmux('display-message', '-p', '-t', 'a', '#{cursor_flag}')).trim() === '1';
  }

  async close(): Promise<void> {
    await this.#tmux('kill-server').catch(() => undefined);
  }
}
