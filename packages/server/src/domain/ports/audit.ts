/** One act, as the record of acts keeps it. */
export interface AuditAct {
  /** Principal id, or what was claimed where nobody could be identified (`unknown`). */
  readonly by: string;
  readonly byKind: 'person' | 'service' | 'local' | 'run' | 'trigger' | 'system' | 'unknown';
  /** Set when a token or session carried it. */
  readonly tokenId: string | null;
  readonly via: string;
  /** `<object>.<verb>`, such as `run.cancel`, `session.create`, `egress.deny`. */
  readonly action: string;
  readonly object: { readonly kind: string; readonly id: string; readonly projectId: string | null };
  readonly result: 'allowed' | 'denied' | 'failed';
  /** Code of the registry when it was not allowed or failed. */
  readonly code: string | null;
  /** Address and program it came from; null where there is none (a schedule, a run). */
  readonly from: { readonly address: string | null; readonly agent: string | null };
  readonly requestId: string | null;
  /** Small facts, redacted: values before and after of a changed setting, a count of aggregated denials. */
  readonly details: Readonly<Record<string, unknown>>;
}

/** An act whose beginning is on record. */
export interface AuditedAct {
  /** Records how it ended. An act without an end reads as `unknown`: the process died in between. */
  end(outcome: Pick<AuditAct, 'result' | 'code'> & { readonly details?: AuditAct['details'] }): Promise<void>;
}

/**
 * The record of acts. Denials of one principal, action and object within a short time are aggregated; everything
 * else is one row each. Throws `DATABASE_UNAVAILABLE`: what cannot be recorded is not done.
 */
export interface AuditSink {
  record(act: AuditAct): Promise<void>;
  /** For acts that change something: recorded before, so that none goes unrecorded. */
  begin(act: Omit<AuditAct, 'result' | 'code'>): Promise<AuditedAct>;
}
