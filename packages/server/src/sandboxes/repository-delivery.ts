import type { Checkpoint } from '../domain/run-state.ts';
import type { Sandbox } from '../domain/ports/sandbox.ts';

/** How a repository gets into a sandbox and its working tree out of it; joined with `git/` where a run is put together. */
export interface RepositoryDelivery {
  /** Fills the repository's directory with a clean checkout of `commit` on a branch named `branch`. */
  deliver(sandbox: Sandbox, options: { commit: string; branch: string; signal: AbortSignal }): Promise<void>;
  /** Saves the working tree and makes it durable. `id` names the calls it makes inside. */
  saveCheckpoint(
    sandbox: Sandbox,
    options: { id: string; base: string; signal: AbortSignal },
  ): Promise<Checkpoint>;
  /** Puts a saved working tree over a fresh delivery of the base commit. */
  restoreCheckpoint(
    sandbox: Sandbox,
    options: { checkpoint: Checkpoint; base: string; signal: AbortSignal },
  ): Promise<void>;
}
