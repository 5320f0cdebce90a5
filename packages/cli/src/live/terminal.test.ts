import { execFile, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { entry, World } from '../testing/spawn-berth.ts';

const run = promisify(execFile);
const hasTmux = spawnSync('tmux', ['-V']).status === 0;

/** A real terminal around the command. */
class Terminal {
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
    // A shell stays after the command's end, so that what is left on the screen can be looked at.
    const shell = ['sh', '-c', `trap : INT; "$@"; echo "exit $?"; exec cat`, 'sh', ...command];
    await this.#tmux('new-session', '-d', ...size, '-s', 'a', '-c', world.repository, ...shell);
  }

  async screen(): Promise<string> {
    return this.#tmux('capture-pane', '-p', '-t', 'a');
  }

  /** Everything, also what has scrolled away. */
  async history(): Promise<string> {
    return this.#tmux('capture-pane', '-p', '-J', '-S', '-500', '-t', 'a');
  }

  async shows(text: string | RegExp): Promise<void> {
    await vi.waitFor(
      async () => {
        const screen = await this.screen();
        if (typeof text === 'string' ? screen.includes(text) : text.test(screen)) return;
        throw new Error(`the screen does not show ${String(text)}:\n${screen}`);
      },
      { timeout: 15_000, interval: 50 },
    );
  }

  async press(key: string): Promise<void> {
    await this.#tmux('send-keys', '-t', 'a', key);
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

let world: World;
let terminal: Terminal;
beforeEach(() => {
  world = new World();
  terminal = new Terminal(world.directory);
});
afterEach(async () => {
  if (hasTmux) await terminal.close();
  await world.end();
});

test.skipIf(!hasTmux)('at 80×24 the run moves in place, its rows stay in the scrollback (tmux)', async () => {
  await terminal.open(world, 80, 24, ['run', 'fix the flaky date test'], { FAKE_PACE: '1.5' });
  await terminal.shows(/prefetch ✔\d.*agent ●/);
  await terminal.shows(/\$ npm test +running/);
  await terminal.shows('✔ succeeded');
  await terminal.shows('exit 0');
  const history = await terminal.history();
  for (const once of ['✔ setup passed', 'DENIED', '✖ check failed', '✔ verify passed']) {
    expect(history.split(once).length - 1).toBe(1);
  }
  // The panel was taken away before it was drawn again: it is there once.
  expect(history.match(/cost \$/g)).toHaveLength(1);
  expect(history).toContain('read 2 files');
});

test.skipIf(!hasTmux)('a terminal made smaller and larger leaves no rubbish behind (tmux)', async () => {
  await terminal.open(world, 100, 30, ['run', 'fix it'], { FAKE_PACE: '3' });
  await terminal.shows(/agent ●/);
  for (const [columns, rows] of [
    [64, 20],
    [120, 40],
    [80, 12],
    [90, 24],
  ] as const) {
    await terminal.resize(columns, rows);
    await terminal.shows(/cost \$/);
    await expect
      .poll(async () => (await terminal.screen()).match(/ tok \S+\/1.5M/g)?.length, { timeout: 5_000 })
      .toBe(1);
  }
});

test.skipIf(!hasTmux)('under 60 columns there are plain lines and no panel (tmux)', async () => {
  await terminal.open(world, 50, 20, ['run', 'fix it'], { FAKE_PACE: '0.3' });
  await terminal.shows('file:///forge/demo/pulls/1');
  const history = await terminal.history();
  expect(history).not.toContain('tok ');
  expect(history).toMatch(/^\d\d:\d\d:\d\d verify passed/m);
});

test.skipIf(!hasTmux)('Ctrl-C pauses, gives the cursor back and says how to go on (tmux)', async () => {
  await terminal.open(world, 80, 24, ['run', 'fix it'], { FAKE_PACE: '3' });
  await terminal.shows(/agent ●/);
  await terminal.press('C-c');
  await terminal.shows('Paused; nothing is lost. Go on: `berth resume r-');
  await terminal.shows('exit 130');
  expect(await terminal.showsCursor()).toBe(true);
  const history = await terminal.history();
  expect(history).toContain('‖ paused');
  expect(history.match(/ tok /g)).toHaveLength(1);
  expect(history).not.toContain('running');
});

test.skipIf(!hasTmux)(
  'what a repository prints cannot move the cursor, set a title or reorder text (tmux)',
  async () => {
    await terminal.open(world, 100, 40, ['run', '{hostile} fix it'], { FAKE_PACE: '0.5' });
    await terminal.shows('✔ succeeded');
    const history = await terminal.history();
    expect(history).toContain('✔ setup passed');
    expect(history).toContain('\\u{202e}gnp.exe');
    expect(history).not.toContain('\u202e');
  },
);

test.skipIf(!hasTmux)('BERTH_ASCII and NO_COLOR: words, no marks, no colour (tmux)', async () => {
  await terminal.open(world, 80, 24, ['run', 'fix it'], {
    FAKE_PACE: '0.3',
    BERTH_ASCII: '1',
    NO_COLOR: '1',
  });
  await terminal.shows(/prefetch ok 0\.1s {2}setup ok/);
  expect(await terminal.screen()).not.toMatch(/[✔●○█─]/);
});
