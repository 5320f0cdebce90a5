import type { SandboxProfile } from '../../domain/config/sandboxes.ts';
import { noEgress } from '../../domain/egress.ts';
import type { Sandbox, SandboxLimits, SandboxSpec } from '../../domain/ports/sandbox.ts';

/** A sandbox that is ready and belongs to no run. */
export interface Member {
  readonly sandbox: Sandbox;
  /** What it can be given to: see `kindOf`. */
  readonly kind: string;
  /** The worker (its lease) that made it. */
  readonly owner: string;
  /** Monotonic. */
  readonly madeMs: number;
}

const prefix = 'pool.';

/** Stands where a run's id stands, for sandboxes that have no run yet; each is another, as each run is. */
export function idleRunId(worker: string, place: number): string {
  return `${prefix}${worker}.${place}`;
}

/** The worker that keeps an idle sandbox ready; null for one that was made for a run. Pure. */
export function keeperOf(runId: string): string | null {
  if (!runId.startsWith(prefix)) return null;
  return runId.slice(prefix.length, runId.lastIndexOf('.'));
}

/**
 * Sandboxes of one kind can stand for each other: same content of the profile, same limits. How many are kept, and for how
 * long, does not change what one of them is. Pure.
 */
export function kindOf(profile: SandboxProfile | null, limits: SandboxLimits): string {
  if (profile === null) return JSON.stringify([null, sorted(limits)]);
  const { pool: _pool, pauseKeep: _pauseKeep, ...content } = profile;
  return JSON.stringify([sorted(content), sorted(limits)]);
}

/** A spec that says nothing of any run: no environment, no credentials, and nothing may leave. */
export function neutralSpec(
  id: string,
  runId: string,
  profile: SandboxProfile,
  limits: SandboxLimits,
): SandboxSpec {
  // Runs begin at epoch 1, so whoever claims it takes it over.
  return { id, runId, purpose: 'work', epoch: 0, limits, env: {}, egress: noEgress, profile };
}

/** Keys in one order at every depth. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).toSorted(([one], [other]) => (one < other ? -1 : 1));
  return Object.fromEntries(entries.map(([key, inner]) => [key, sorted(inner)]));
}
