import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { type ProgramEnd, type ProgramRun, runProgram } from './run-program.ts';

/** What is asked of the helper, and what it answers. */
export type HelperRequest =
  | { readonly kind: 'run'; readonly id: number; readonly run: ProgramRun }
  | { readonly kind: 'abort'; readonly id: number };
export type HelperAnswer =
  | { readonly kind: 'ready' }
  | { readonly kind: 'end'; readonly id: number; readonly end: ProgramEnd };

/** Larger input is not copied to another process first. */
const largestInputBytes = 1024 * 1024;
/** A helper that nobody needs gives its 50 MiB back. */
const idleMs = 60_000;

let helper: ProgramHelper | null = null;

/**
 * Runs a program as `runProgram` does, in a small process beside this one: a spawn stops the event loop for as long as
 * the kernel copies the page tables of the process that forks, 0.8 ms at 49 MiB, 5 ms at 150 MiB and 28 ms at 450 MiB,
 * and a run's way to its first model call takes some twenty of them. Until the helper is up, programs run here.
 */
export function runAside(run: ProgramRun, signal: AbortSignal): Promise<ProgramEnd> {
  helper ??= new ProgramHelper(() => {
    helper = null;
  });
  if (!helper.isReady || run.input.length > largestInputBytes) return runProgram(run, signal);
  return helper.run(run, signal);
}

class ProgramHelper {
  isReady = false;
  readonly #child: ChildProcess;
  readonly #waiting = new Map<number, (end: ProgramEnd) => void>();
  #lastId = 0;
  #idle: NodeJS.Timeout | null = null;

  constructor(onGone: () => void) {
    this.#child = fork(fileURLToPath(new URL('./program-helper-main.ts', import.meta.url)), [], {
      cwd: '/',
      // No keys of ours: what it runs gets its own environment with each request.
      env: { PATH: process.env['PATH'] },
      execArgv: ['--disable-warning=ExperimentalWarning', '--max-semi-space-size=1'],
      serialization: 'advanced',
      // Ctrl-C in a terminal is for this process, which ends what runs in its own way.
      detached: true,
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    });
    const gone = (): void => {
      this.isReady = false;
      this.#stopIdling();
      onGone();
      for (const answer of this.#waiting.values()) answer(lost);
      this.#waiting.clear();
    };
    this.#child.once('error', gone);
    this.#child.once('exit', gone);
    this.#child.on('message', (message) => this.#hear(message as HelperAnswer));
    this.#child.unref();
    this.#child.channel?.unref();
  }

  async run(run: ProgramRun, signal: AbortSignal): Promise<ProgramEnd> {
    this.#lastId += 1;
    const id = this.#lastId;
    const abort = (): void => this.#say({ kind: 'abort', id });
    this.#stopIdling();
    this.#child.channel?.ref();
    const ended = new Promise<ProgramEnd>((resolve) => this.#waiting.set(id, resolve));
    this.#say({ kind: 'run', id, run });
    signal.addEventListener('abort', abort, { once: true });
    try {
      return await ended;
    } finally {
      signal.removeEventListener('abort', abort);
      if (this.#waiting.size === 0) this.#rest();
    }
  }

  #hear(answer: HelperAnswer): void {
    switch (answer.kind) {
      case 'ready':
        this.isReady = true;
        this.#rest();
        return;
      case 'end':
        this.#waiting.get(answer.id)?.(answer.end);
        this.#waiting.delete(answer.id);
        return;
    }
  }

  #say(request: HelperRequest): void {
    // One that is gone is told by its `exit`.
    if (this.#child.connected) this.#child.send(request, () => undefined);
  }

  /** Does not keep this process alive, and ends after a while without work. */
  #rest(): void {
    this.#child.channel?.unref();
    this.#stopIdling();
    this.#idle = setTimeout(() => {
      this.isReady = false;
      if (this.#child.connected) this.#child.disconnect();
    }, idleMs);
    this.#idle.unref();
  }

  #stopIdling(): void {
    if (this.#idle !== null) clearTimeout(this.#idle);
    this.#idle = null;
  }
}

const lost: ProgramEnd = {
  exitCode: null,
  stdout: new Uint8Array(),
  stderr: '',
  timedOut: false,
  isMissing: false,
  isTooLarge: false,
  trouble: 'the process that runs git for this one ended',
};
