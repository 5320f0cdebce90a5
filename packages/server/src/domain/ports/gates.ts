import type { VisibleProjects } from '../access.ts';
import type { GateView } from '../gate-view.ts';

/** Who decides: a principal, and the token that carries the request. */
export interface Decider {
  readonly id: string;
  readonly tokenId: string | null;
}

export interface GateDecision {
  readonly verdict: 'approved' | 'refused';
  readonly by: Decider;
  readonly comment: string | null;
  /** The tree that was looked at; null: not said. Another one than the gate's is refused. */
  readonly tree: string | null;
}

/** Gates of runs, for the API. Ids are a gate's, or a run's: then its open gate is meant, or its last one. */
export interface Gates {
  /** Open ones, of the newest runs first. */
  listOpen(filter: {
    readonly visible: VisibleProjects;
    readonly project?: string;
    readonly cursor?: string;
    /** 1 to 200. */
    readonly limit: number;
  }): Promise<{ readonly gates: readonly GateView[]; readonly next: string | null }>;
  /** @throws BerthError `NOT_FOUND` */
  get(id: string): Promise<GateView>;
  /**
   * Decides a gate, once: of all who try, one is answered and the others are told who it was.
   * @throws BerthError `GATE_DECIDED`, `GATE_EXPIRED`, `GATE_CHANGED`, `GATE_SELF_APPROVAL`, `NOT_FOUND`
   */
  decide(id: string, decision: GateDecision): Promise<GateView>;
}
