import type { PinnedCertificate } from '../../channel/sandboxd-certificate.ts';
import type { Clock } from '../../domain/ports/clock.ts';
import type { SandboxRef } from '../../domain/ports/sandbox.ts';

/** A sandbox as `list` tells of it. */
export interface Listed {
  readonly id: string;
  readonly runId: string;
  readonly createdMs: number;
}

/**
 * What this worker knows of the idle sandboxes that it keeps and gave away. Their pods are labelled for the pool for ever,
 * since nobody may patch pods: until the log of its run names it, only the worker that gave one away knows whose it is.
 */
export class Claims {
  readonly #clock: Clock;
  readonly #idle = new Map<string, { readonly bootId: string; readonly pinned: PinnedCertificate }>();
  readonly #given = new Map<string, { readonly runId: string; readonly atMs: number }>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Remembers how an idle one is known, so that its claim need not read the log of its pod again. */
  keep(ref: SandboxRef, pinned: PinnedCertificate): void {
    this.#idle.set(ref.id, { bootId: ref.bootId, pinned });
  }

  /** How an idle one is known; null where it is not known here, or was started again. */
  pinned(ref: SandboxRef): PinnedCertificate | null {
    const known = this.#idle.get(ref.id);
    return known?.bootId === ref.bootId ? known.pinned : null;
  }

  /** It belongs to this run from now on. */
  add(id: string, runId: string): void {
    this.#idle.delete(id);
    this.#given.set(id, { runId, atMs: this.#clock.nowMs() });
  }

  forget(id: string): void {
    this.#idle.delete(id);
    this.#given.delete(id);
  }

  /** For one look at all pods: what others removed meanwhile is forgotten at its end. */
  beginListing(): { tell(pod: Listed): Listed; end(): void } {
    const known = [...this.#idle.keys(), ...this.#given.keys()];
    const seen = new Set<string>();
    return {
      tell: (pod) => {
        seen.add(pod.id);
        const given = this.#given.get(pod.id);
        // For whoever tidies up it is new-born when it is given.
        return given === undefined ? pod : { ...pod, runId: given.runId, createdMs: given.atMs };
      },
      end: () => {
        for (const id of known) if (!seen.has(id)) this.forget(id);
      },
    };
  }
}
