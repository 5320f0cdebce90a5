import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { accessSync, closeSync, constants, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join, resolve } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import type { ExecSpec } from '@berth/protocol';
import { RefusedError } from '../refusal.ts';
import type { PipeMaker } from './pipes.ts';

/** Scripts above this size do not fit into one argument (128 KiB in Linux) and run from a file. */
const longestArgument = 120 * 1024;

export interface StartedCommand {
  readonly pid: number;
  readonly exited: Promise<{ readonly exitCode: number | null; readonly signal: NodeJS.Signals | null }>;
  /** Null when the command's standard input is empty. */
  readonly stdin: Writable | null;
  readonly stdout: Readable;
  readonly stderr: Readable;
  /** Removes what the start left behind; called when the command has ended. */
  readonly cleanUp: () => void;
}

function executable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

/** The file a name stands for, seen from a directory and a PATH, or null. */
export function findProgram(name: string, cwd: string, searchPath: string): string | null {
  if (name.includes('/')) return executable(resolve(cwd, name)) ? name : null;
  for (const directory of searchPath.split(delimiter)) {
    if (directory !== '' && executable(resolve(cwd, directory, name))) return resolve(cwd, directory, name);
  }
  return null;
}

function shell(): string {
  return ['/bin/bash', '/usr/bin/bash'].find(executable) ?? '/bin/sh';
}

/** The program that gives commands a terminal, found once: util-linux's `script`; that of the tools first, as a small image has another. */
export const terminalProgram: string | null =
  ['/opt/berth/bin/script', '/usr/bin/script', '/bin/script'].find(executable) ?? null;

/** A script reaches the shell as one argument, or as a file when it is too long for that; it is never quoted. */
function plainArgv(spec: ExecSpec): { argv: readonly string[]; cleanUp: () => void } {
  if (spec.argv !== undefined) return { argv: spec.argv, cleanUp: () => {} };
  const script = spec.script ?? '';
  if (Buffer.byteLength(script) <= longestArgument)
    return { argv: [shell(), '-c', script], cleanUp: () => {} };
  const directory = mkdtempSync(join(tmpdir(), 'berth-script-'));
  const file = join(directory, 'script');
  writeFileSync(file, script, { mode: 0o600 });
  return { argv: [shell(), file], cleanUp: () => rmSync(directory, { recursive: true, force: true }) };
}

/**
 * With a terminal, `script` runs a fixed line that takes the arguments from numbered variables: data never becomes
 * part of a shell line.
 */
function terminalArgv(
  argv: readonly string[],
  pty: { columns: number; rows: number },
): { argv: readonly string[]; env: Record<string, string> } {
  if (terminalProgram === null) {
    throw new RefusedError(
      'pty-unavailable',
      'Commands have no terminal here: the program "script" is missing.',
    );
  }
  const names = argv.map((_, index) => `BERTH_ARG_${index}`);
  const line =
    `stty rows ${pty.rows} cols ${pty.columns} 2>/dev/null; ` +
    `set -- ${names.map((name) => `"$${name}"`).join(' ')}; unset ${names.join(' ')}; exec "$@"`;
  return {
    argv: [terminalProgram, '-qfec', line, '/dev/null'],
    env: { SHELL: '/bin/sh', ...Object.fromEntries(names.map((name, index) => [name, argv[index]!])) },
  };
}

/**
 * Starts the command in a session of its own.
 * @param io where its pipes come from, the descriptor of the input that was given, which is closed here, and what frees
 *   process numbers when there are none left
 * @throws RefusedError when it cannot start
 */
export async function startCommand(
  spec: ExecSpec,
  cwd: string,
  env: Readonly<Record<string, string>>,
  io: { readonly pipes: PipeMaker; readonly given: number | null; readonly makeRoom: () => Promise<void> },
): Promise<StartedCommand> {
  const { pipes, given } = io;
  const plain = plainArgv(spec);
  const extra: { argv: readonly string[]; env: Record<string, string> } =
    spec.pty === undefined ? { argv: plain.argv, env: {} } : terminalArgv(plain.argv, spec.pty);
  const withInput = spec.stdin === 'open' || spec.pty !== undefined;
  const made = [withInput ? pipes.input() : null, pipes.output(), pipes.output()] as const;
  const [input, output, errors] = made;
  try {
    const start = async () => {
      const child = spawnFirstToDie(extra.argv, {
        cwd,
        env: { ...env, ...extra.env },
        stdio: [
          input?.childFd ?? (withInput ? 'pipe' : (given ?? 'ignore')),
          output?.childFd ?? 'pipe',
          errors?.childFd ?? 'pipe',
        ],
      });
      const exited = new Promise<Awaited<StartedCommand['exited']>>((resolve) => {
        child.once('exit', (exitCode, signal) => resolve({ exitCode, signal }));
      });
      await spawned(child);
      return { child, exited };
    };
    const { child, exited } = await start().catch(async (error: unknown) => {
      if (!isOutOfProcesses(error)) throw error;
      await io.makeRoom();
      return await start();
    });
    return {
      pid: child.pid!,
      exited,
      stdin: input?.ours ?? child.stdin,
      stdout: output?.ours ?? child.stdout!,
      stderr: errors?.ours ?? child.stderr!,
      cleanUp: plain.cleanUp,
    };
  } catch (error) {
    plain.cleanUp();
    for (const pipe of made) pipe?.ours.destroy();
    throw error;
  } finally {
    for (const pipe of made) if (pipe !== null) closeSync(pipe.childFd);
    if (given !== null) closeSync(given);
  }
}

function isOutOfProcesses(error: unknown): boolean {
  return (
    error instanceof Error &&
    (error.message.includes('EAGAIN') || ('code' in error && error.code === 'EAGAIN'))
  );
}

type Stdio = 'pipe' | 'ignore' | number;
type SpawnOptions = { cwd: string; env: Record<string, string>; stdio: [Stdio, Stdio, Stdio] };

/**
 * Children inherit the score by which the kernel chooses whom it ends when memory is short: raised around the fork, the
 * command dies before the runner does. Two writes of 10 µs instead of one more program per command.
 */
function spawnFirstToDie(argv: readonly string[], options: SpawnOptions): ChildProcess {
  const [file, ...rest] = argv;
  const raised = setOomScore('1000');
  try {
    return spawn(file!, rest, { ...options, detached: true });
  } finally {
    if (raised) setOomScore(ownOomScore);
  }
}

const ownOomScore = '0';

function setOomScore(score: string): boolean {
  try {
    writeFileSync('/proc/self/oom_score_adj', score);
    return true;
  } catch {
    return false;
  }
}

function spawned(child: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    child.once('spawn', resolve);
    child.once('error', reject);
  });
}
