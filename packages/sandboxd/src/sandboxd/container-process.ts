import { readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import type { KeptRunner } from './runner-process.ts';
import { firstDelayMs, longestDelayMs, lookEveryMs, settledMs, stopMs, stuckMs } from './runner-process.ts';

/** The container around the runner; a JSON file of the sandbox's own directory. */
export interface ContainerProcessSpec {
  /** Unix socket of an engine that speaks the Docker Engine API. */
  readonly engine: string;
  /** Name or id; the driver made it and did not start it. */
  readonly name: string;
  /** Gets the number of the last runner that was seen, before each start. */
  readonly generationFile: string;
  /** Becomes a link to the container's counter of memory kills, after each start. */
  readonly oomCounterLink: string;
}

export interface ContainerProcessOptions {
  readonly specFile: string;
  readonly generation: () => number;
  /** Whether its runner is connected. */
  readonly isUp: () => boolean;
  readonly onSaid: (text: string) => void;
  /** Somebody removed the container: there is nothing to start any more. */
  readonly onGone: () => void;
}

/** Between two questions to an engine that does not answer. */
const askAgainMs = 1_000;

/**
 * Keeps the container of a runner alive, as `RunnerProcess` does for a process: when all of it dies, it is started again.
 * Not the engine's restart policy: that one goes on when sandboxd is gone, and knows nothing of generations.
 */
export class ContainerProcess implements KeptRunner {
  readonly #options: ContainerProcessOptions;
  readonly #spec: ContainerProcessSpec;
  #pid: number | null = null;
  #stopped = false;
  #lastUpMs = performance.now();
  readonly #watch: NodeJS.Timeout;

  constructor(options: ContainerProcessOptions) {
    this.#options = options;
    this.#spec = JSON.parse(readFileSync(options.specFile, 'utf8')) as ContainerProcessSpec;
    void this.#keep();
    this.#watch = setInterval(() => this.#look(), lookEveryMs);
  }

  get pid(): number | null {
    return this.#pid;
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    clearInterval(this.#watch);
    // Whoever ends sandboxd removes the container, too; it only goes sooner.
    await this.#ask('POST', 'kill?signal=KILL', stopMs).catch(() => undefined);
  }

  #look(): void {
    const nowMs = performance.now();
    if (this.#options.isUp()) this.#lastUpMs = nowMs;
    else if (nowMs - this.#lastUpMs > stuckMs) {
      this.#lastUpMs = nowMs;
      this.#options.onSaid('the runner is stuck and is started anew\n');
      void this.#ask('POST', 'kill?signal=KILL').catch(() => undefined);
    }
  }

  async #keep(): Promise<void> {
    let delayMs = firstDelayMs;
    while (!this.#stopped) {
      const startedMs = performance.now();
      const outcome = await this.#once().catch((error: unknown) => `the engine failed: ${String(error)}`);
      this.#pid = null;
      if (this.#stopped) return;
      this.#options.onSaid(`${outcome ?? 'the container was removed'}\n`);
      if (outcome === null) return this.#options.onGone();
      if (performance.now() - startedMs > settledMs) delayMs = firstDelayMs;
      await new Promise((resolve) => setTimeout(resolve, delayMs));
      delayMs = Math.min(delayMs * 3, longestDelayMs);
    }
  }

  /** Starts it and waits for its end. @returns what happened, or null when there is no such container */
  async #once(): Promise<string | null> {
    const { generationFile } = this.#spec;
    writeFileSync(`${generationFile}.tmp`, `${this.#options.generation()}\n`, { mode: 0o644 });
    renameSync(`${generationFile}.tmp`, generationFile);
    const started = await this.#ask('POST', 'start');
    if (started.status === 404) return null;
    if (started.status >= 400) return `the container did not start: ${started.text.slice(0, 2_000)}`;
    this.#lastUpMs = performance.now();
    for (;;) {
      const seen = await this.#ask('GET', 'json').catch(() => null);
      if (this.#stopped) return 'stopped';
      if (seen === null) {
        // An engine that is started anew leaves containers alone, or ends them; it will tell.
        await new Promise((resolve) => setTimeout(resolve, askAgainMs));
        continue;
      }
      if (seen.status === 404) return null;
      const state = stateOf(seen.text);
      if (!state.running) return `the sandbox's processes ended (${state.exitCode})`;
      if (this.#pid !== state.pid) {
        this.#pid = state.pid;
        this.#linkCounter(state.pid);
      }
      await this.#ask('POST', 'wait?condition=not-running').catch(() => undefined);
    }
  }

  #linkCounter(pid: number): void {
    const file = memoryCounterOf(pid);
    if (file === null) return;
    const link = this.#spec.oomCounterLink;
    try {
      rmSync(link, { force: true });
      symlinkSync(file, link);
    } catch (error) {
      this.#options.onSaid(`no counter of memory kills: ${String(error)}\n`);
    }
  }

  #ask(method: 'GET' | 'POST', what: string, timeoutMs = 0): Promise<{ status: number; text: string }> {
    const path = `/containers/${encodeURIComponent(this.#spec.name)}/${what}`;
    return new Promise((resolve, reject) => {
      const asked = request({ socketPath: this.#spec.engine, method, path }, (response) => {
        let text = '';
        response.setEncoding('utf8');
        response.on('data', (chunk: string) => (text += chunk));
        response.on('end', () => resolve({ status: response.statusCode ?? 0, text }));
        response.on('error', reject);
      });
      if (timeoutMs > 0) asked.setTimeout(timeoutMs, () => asked.destroy(new Error('no answer')));
      asked.on('error', reject);
      asked.end();
    });
  }
}

function stateOf(text: string): { running: boolean; pid: number; exitCode: number } {
  const { State } = JSON.parse(text) as { State: { Running: boolean; Pid: number; ExitCode: number } };
  return { running: State.Running, pid: State.Pid, exitCode: State.ExitCode };
}

/** The file in which the kernel counts memory kills of a process's control group, or null where none is seen. */
export function memoryCounterOf(
  pid: number,
  read: (path: string) => string = (path) => readFileSync(path, 'utf8'),
): string | null {
  try {
    const groups = read(`/proc/${pid}/cgroup`).trim().split('\n');
    const mounts = read('/proc/self/mounts').split('\n');
    for (const group of groups) {
      const [hierarchy, controllers = '', ...rest] = group.split(':');
      const directory = rest.join(':');
      const wanted = hierarchy === '0' ? null : controllers.split(',');
      if (wanted !== null && !wanted.includes('memory')) continue;
      const mount = mounts
        .map((line) => line.split(' '))
        .find(([, , type, options = '']) =>
          wanted === null ? type === 'cgroup2' : type === 'cgroup' && options.split(',').includes('memory'),
        );
      const file = `${mount?.[1] ?? ''}${directory}/${wanted === null ? 'memory.events' : 'memory.oom_control'}`;
      try {
        read(file);
        return file;
      } catch {
        // On hybrid systems the unified hierarchy is there and counts no memory.
      }
    }
    return null;
  } catch {
    return null;
  }
}
