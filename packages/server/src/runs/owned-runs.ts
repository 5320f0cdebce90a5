import type { Sandbox } from '../domain/ports/sandbox.ts';
import type { OwnedLog } from './owned-log.ts';

/** A run in the hands of this process, for those who want a stream of it. */
export interface OwnedRun {
  readonly runId: string;
  readonly worker: string;
  readonly epoch: number;
  readonly log: OwnedLog;
  /** Aborted when the run is let go of, for whatever reason. */
  readonly signal: AbortSignal;
  /** Its living work sandbox; null when it has none at the moment. */
  sandbox(): Promise<Sandbox | null>;
}

/** The runs that this process owns now. */
export class OwnedRuns {
  readonly #runs = new Map<string, OwnedRun>();
  readonly #listeners = new Set<(run: OwnedRun) => void>();

  get(runId: string): OwnedRun | null {
    return this.#runs.get(runId) ?? null;
  }

  /** @returns takes it out again */
  enter(run: OwnedRun): () => void {
    this.#runs.set(run.runId, run);
    for (const listener of this.#listeners) listener(run);
    return () => {
      if (this.#runs.get(run.runId) === run) this.#runs.delete(run.runId);
    };
  }

  /** Told of every run that comes into this process's hands. */
  onEnter(listener: (run: OwnedRun) => void): void {
    this.#listeners.add(listener);
  }
}
