import { execa } from 'execa';

/** One program to run to its end; plain data, so that another process can be asked to. */
export interface ProgramRun {
  readonly program: string;
  readonly argv: readonly string[];
  readonly cwd: string;
  /** All of its environment. */
  readonly env: Readonly<Record<string, string>>;
  readonly input: Uint8Array | string;
  /** Read as standard input instead of `input`. */
  readonly inputFile: string | null;
  /** Standard output goes to this new file instead of memory. */
  readonly outputFile: string | null;
  readonly maxOutputBytes: number;
  readonly timeoutMs: number;
}

export interface ProgramEnd {
  /** Null when it was killed, or never started. */
  readonly exitCode: number | null;
  readonly stdout: Uint8Array;
  readonly stderr: string;
  readonly timedOut: boolean;
  readonly isMissing: boolean;
  readonly isTooLarge: boolean;
  /** What went wrong besides an exit code. */
  readonly trouble: string | null;
}

function killGroup(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(-pid, name);
  } catch {
    // It is gone already.
  }
}

/** Ends a process group on abort or after its time, first kindly (git removes its lock files), then hard. */
function endOfGroup(pid: number | undefined, signal: AbortSignal, timeoutMs: number) {
  let late = false;
  let hard: NodeJS.Timeout | null = null;
  const finish = () => {
    if (pid === undefined || hard !== null) return;
    killGroup(pid, 'SIGTERM');
    hard = setTimeout(() => killGroup(pid, 'SIGKILL'), 1_000);
  };
  const timer = setTimeout(() => {
    late = true;
    finish();
  }, timeoutMs);
  signal.addEventListener('abort', finish, { once: true });
  return {
    timedOut: () => late,
    stop: () => {
      clearTimeout(timer);
      if (hard !== null) clearTimeout(hard);
      signal.removeEventListener('abort', finish);
    },
  };
}

/** Runs a program in a process group of its own. Resolves when it has ended, also after an abort. */
export async function runProgram(run: ProgramRun, signal: AbortSignal): Promise<ProgramEnd> {
  const child = execa(run.program, run.argv, {
    cwd: run.cwd,
    env: run.env,
    extendEnv: false,
    ...(run.inputFile === null ? { input: run.input } : { stdin: { file: run.inputFile } as const }),
    ...(run.outputFile === null ? {} : { stdout: { file: run.outputFile } as const }),
    encoding: 'buffer',
    stripFinalNewline: false,
    reject: false,
    // A group of its own: ending it ends git's helpers too, which would hold the pipes open.
    detached: true,
    maxBuffer: { stdout: run.maxOutputBytes, stderr: 256 * 1024 },
    buffer: { stdout: run.outputFile === null, stderr: true },
  });
  const end = endOfGroup(child.pid, signal, run.timeoutMs);
  const result = await child.finally(end.stop);
  return {
    exitCode: result.exitCode ?? null,
    stdout: result.stdout ?? new Uint8Array(),
    stderr: Buffer.from(result.stderr ?? []).toString('utf8'),
    timedOut: end.timedOut(),
    isMissing: result.code === 'ENOENT',
    isTooLarge: result.isMaxBuffer,
    trouble: result.cause instanceof Error ? result.cause.message : null,
  };
}
