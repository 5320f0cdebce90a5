import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { childrenOf } from './memory-watch.ts';

/** How a driver wants the runner's isolation started; a JSON file of the sandbox's own directory. */
export interface RunnerProcessSpec {
  /** `{generation}` in an argument stands for the number of the last runner that was seen. */
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** Opened for reading as descriptors 3, 4, … */
  readonly files: readonly string[];
}

export interface RunnerProcessOptions {
  /** The JSON file; read at every start. */
  readonly specFile: string;
  readonly generation: () => number;
  /** Whether its runner is connected. */
  readonly isUp: () => boolean;
  /** Its standard error, cut; for the log. */
  readonly onSaid: (text: string) => void;
}

/**
 * A runner that is not connected for so long is stuck (a command can stop it, or read from its pipes), and whatever
 * supervises it inside does not see that: all of it is started anew.
 */
export const stuckMs = 20_000;
export const lookEveryMs = 2_000;
export const firstDelayMs = 50;
export const longestDelayMs = 5_000;
/** A start that lasted this long ends the back-off. */
export const settledMs = 30_000;
/** After this the outermost process is killed too. */
export const stopMs = 300;
/** What one start may write to the log: commands can reach this pipe too. */
const saidBytes = 16 * 1024;

/** Whatever keeps a runner up. */
export interface KeptRunner {
  /** The outermost process, while it lives. */
  readonly pid: number | null;
  /** Ends it for good, with everything inside. */
  stop(): Promise<void>;
}

/**
 * Keeps the isolation around the runner alive: when the whole of it dies (the memory limit chose its first process,
 * say), it is started again. sandboxd and its journal are not touched by that.
 */
export class RunnerProcess implements KeptRunner {
  readonly #options: RunnerProcessOptions;
  #child: ChildProcess | null = null;
  #stopped = false;
  #delayMs = firstDelayMs;
  #lastUpMs = performance.now();
  readonly #watch: NodeJS.Timeout;

  constructor(options: RunnerProcessOptions) {
    this.#options = options;
    this.#start();
    this.#watch = setInterval(() => this.#look(), lookEveryMs);
  }

  /** The outermost process, while it lives. */
  get pid(): number | null {
    return this.#child?.pid ?? null;
  }

  /**
   * Ends it for good, with everything inside. The first process of the namespaces goes first: its parent then reaps
   * it and ends too. The other way round a dead process stays where nobody reaps orphans (many containers).
   */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearInterval(this.#watch);
    await this.#kill();
  }

  #look(): void {
    const nowMs = performance.now();
    if (this.#options.isUp()) this.#lastUpMs = nowMs;
    else if (nowMs - this.#lastUpMs > stuckMs) {
      this.#lastUpMs = nowMs;
      this.#options.onSaid('the runner is stuck and is started anew\n');
      void this.#kill();
    }
  }

  async #kill(): Promise<void> {
    const child = this.#child;
    if (child?.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((resolve) => child.once('exit', resolve));
    for (const pid of childrenOf(child.pid)) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // It ended meanwhile.
      }
    }
    const hard = setTimeout(() => child.kill('SIGKILL'), stopMs);
    await ended;
    clearTimeout(hard);
  }

  #start(): void {
    if (this.#stopped) return;
    const spec = JSON.parse(readFileSync(this.#options.specFile, 'utf8')) as RunnerProcessSpec;
    const generation = String(this.#options.generation());
    const [file, ...rest] = spec.argv.map((argument) => argument.replaceAll('{generation}', generation));
    const descriptors = spec.files.map((path) => openSync(path, 'r'));
    const startedMs = performance.now();
    try {
      const child = spawn(file!, rest, {
        env: spec.env,
        stdio: ['ignore', 'ignore', 'pipe', ...descriptors],
      });
      this.#child = child;
      let said = 0;
      child.stderr?.on('data', (chunk: Buffer) => {
        if (said < saidBytes) this.#options.onSaid(chunk.toString('utf8').slice(0, saidBytes - said));
        said += chunk.length;
      });
      child.once('error', (error) => this.#options.onSaid(`${error.message}\n`));
      child.once('close', (code, signal) => {
        this.#options.onSaid(`the sandbox's processes ended (${signal ?? code})\n`);
        this.#again(performance.now() - startedMs);
      });
    } finally {
      for (const descriptor of descriptors) closeSync(descriptor);
    }
  }

  #again(lastedMs: number): void {
    if (this.#stopped) return;
    if (lastedMs > settledMs) this.#delayMs = firstDelayMs;
    setTimeout(() => this.#start(), this.#delayMs);
    this.#delayMs = Math.min(this.#delayMs * 3, longestDelayMs);
  }
}
