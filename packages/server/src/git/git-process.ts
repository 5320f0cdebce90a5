import { existsSync } from 'node:fs';
import { BerthError } from '../domain/errors/index.ts';
import { gitEnvironment, hardeningArguments } from './git-environment.ts';
import type { Transport } from './git-environment.ts';
import { runAside } from './program-helper.ts';
import { withoutCredentials } from './repository-address.ts';

/** Hard limits of one process, held by the kernel where the `prlimit` program exists. */
export interface ProcessLimits {
  readonly memoryBytes: number;
  readonly cpuSeconds: number;
  readonly fileBytes: number;
}

export interface GitCommand {
  readonly args: readonly string[];
  readonly cwd?: string;
  readonly input?: Uint8Array | string;
  /** Read as standard input instead of `input`. */
  readonly inputFile?: string;
  /** Standard output goes to this new file instead of memory. */
  readonly outputFile?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
  /** Default 60 s. */
  readonly timeoutMs?: number;
  /** Default 16 MiB; more ends the process with `GIT_OUTPUT_TOO_LARGE`. */
  readonly maxOutputBytes?: number;
  /** The one transport this process may use; default none. */
  readonly transport?: Transport;
  readonly trustUserConfig?: boolean;
  readonly limits?: ProcessLimits;
  /** Exit codes that are answers, not failures; default only 0. */
  readonly okCodes?: readonly number[];
}

export interface GitAnswer {
  readonly exitCode: number;
  readonly stdout: Buffer;
  readonly stderr: string;
}

/**
 * Git ended with a code that is not an answer. Callers that know what they asked turn it into a more exact
 * code (`asGitError`); what they let through is `GIT_FAILED` or `GIT_DISK_FULL`.
 */
export class GitFailure extends BerthError {
  readonly exitCode: number | null;
  readonly stderr: string;
  /** The git sub-command, without its arguments (they may hold an address with credentials). */
  readonly command: string;

  constructor(command: string, exitCode: number | null, stderr: string, cause?: unknown) {
    const said = withoutCredentials(stderr).trim().slice(-2_000);
    const last = said.split('\n').at(-1) ?? '';
    const full = /no space left on device|disk quota exceeded/i.test(stderr);
    super(full ? 'GIT_DISK_FULL' : 'GIT_FAILED', full ? undefined : `git ${command} failed: ${last}`, {
      details: { command, exitCode, said },
      cause,
    });
    this.name = 'GitFailure';
    this.command = command;
    this.exitCode = exitCode;
    this.stderr = stderr;
  }
}

const prlimit = ['/usr/bin/prlimit', '/bin/prlimit'].find((path) => existsSync(path)) ?? null;

function limitArguments(limits: ProcessLimits | undefined): readonly string[] {
  if (limits === undefined || prlimit === null) return [];
  return [
    prlimit,
    `--as=${limits.memoryBytes}`,
    `--cpu=${limits.cpuSeconds}`,
    `--fsize=${limits.fileBytes}`,
    '--core=0',
    '--',
  ];
}

/** Settings that keep git's own appetite below an address space limit. */
const frugal = ['core.packedGitWindowSize=16m', 'core.packedGitLimit=256m', 'core.bigFileThreshold=16m'];

/**
 * Runs git once with a clean environment, without hooks, helpers or prompts, and bounded in time and output.
 *
 * @throws GitFailure when git answers with an unexpected code; BerthError `GIT_TIMEOUT`, `GIT_MISSING`,
 *   `GIT_OUTPUT_TOO_LARGE`; the signal's reason when aborted.
 */
export async function git(command: GitCommand): Promise<GitAnswer> {
  command.signal.throwIfAborted();
  const trust = command.trustUserConfig === true;
  const [program, ...argv] = [
    ...limitArguments(command.limits),
    'git',
    ...hardeningArguments({ keepCredentials: trust }),
    ...(command.limits === undefined ? [] : frugal.flatMap((setting) => ['-c', setting])),
    ...command.args,
  ] as [string, ...string[]];
  const environment = gitEnvironment(process.env, {
    transport: command.transport ?? null,
    trustUserConfig: trust,
  });
  const timeoutMs = command.timeoutMs ?? 60_000;
  const end = await runAside(
    {
      program,
      argv,
      cwd: command.cwd ?? '/',
      env: { ...environment, ...command.env },
      input: command.input ?? '',
      inputFile: command.inputFile ?? null,
      outputFile: command.outputFile ?? null,
      maxOutputBytes: command.maxOutputBytes ?? 16 * 1024 * 1024,
      timeoutMs,
    },
    command.signal,
  );
  const { exitCode, stderr } = end;
  const name = command.args[0] ?? '';
  command.signal.throwIfAborted();
  if (end.timedOut) {
    throw new BerthError('GIT_TIMEOUT', `git ${name} did not finish within ${timeoutMs / 1000} s.`);
  }
  if (end.isMissing) throw new BerthError('GIT_MISSING', undefined, { cause: end.trouble });
  if (end.isTooLarge) throw new BerthError('GIT_OUTPUT_TOO_LARGE');
  // Git is content with a reader that took all of it; whether the file did is another question.
  if (command.outputFile !== undefined && end.trouble !== null) {
    const isFull = /^(ENOSPC|EDQUOT):/.test(end.trouble);
    const said = isFull ? 'No space left on device' : `${stderr}\n${end.trouble}`;
    throw new GitFailure(name, exitCode, said.trim(), end.trouble);
  }
  if (exitCode === null || !(command.okCodes ?? [0]).includes(exitCode)) {
    throw new GitFailure(name, exitCode, stderr, end.trouble ?? undefined);
  }
  return { exitCode, stdout: asBuffer(end.stdout), stderr };
}

/** The same bytes, uncopied. */
function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Runs git and answers its output as text without the last line end. */
export async function gitText(command: GitCommand): Promise<string> {
  return (await git(command)).stdout.toString('utf8').replace(/\n$/, '');
}
