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
  end(
    outcome: Pick<AuditAct, 'result' | 'code'> & {
      readonly details?: AuditAct['details'];
      /** Where it is known only now, such as what was made; the act's own otherwise. */
      readonly object?: AuditAct['object'];
    },
  ): Promise<void>;
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

/** An act as readers see it: its beginning and end joined. */
export interface AuditRow {
  /** Grows with time; a cursor. */
  readonly position: number;
  readonly id: string;
  /** RFC 3339. */
  readonly at: string;
  readonly by: string;
  readonly byKind: string;
  readonly tokenId: string | null;
  readonly via: string;
  readonly action: string;
  readonly object: AuditAct['object'];
  /** `open`: begun within the last minute; `unknown`: begun before, and its end was never recorded. */
  readonly result: AuditAct['result'] | 'open' | 'unknown';
  readonly code: string | null;
  readonly from: AuditAct['from'];
  readonly requestId: string | null;
  readonly details: AuditAct['details'];
  /** When its end was recorded; null where it has none of its own. */
  readonly endedAt: string | null;
}

export interface AuditFilter {
  readonly by?: string;
  /** Whole, or its first part (`run`). */
  readonly action?: string;
  /** Id of the object. */
  readonly object?: string;
  readonly result?: AuditRow['result'];
  readonly project?: string;
  /** RFC 3339; from then on. */
  readonly since?: string;
  /** RFC 3339; before then. */
  readonly until?: string;
}

/** One thing that is wrong with the record. */
export interface AuditFinding {
  readonly problem:
    | 'entry-changed'
    | 'entry-missing'
    | 'entry-added'
    | 'seal-changed'
    | 'seal-missing'
    | 'seal-unsigned'
    | 'tail-unsealed'
    | 'rolled-back'
    | 'head-changed'
    | 'run-changed'
    | 'run-missing';
  /** Where: a position of the record, the number of a seal or head, or an entry of a run's log. */
  readonly position?: number;
  readonly seal?: number;
  readonly run?: string;
  readonly seq?: number;
  readonly sentence: string;
}

export interface AuditVerdict {
  readonly ok: boolean;
  readonly entries: number;
  readonly seals: number;
  readonly runs: number;
  readonly events: number;
  /** Events whose contents were erased; their entries hold. */
  readonly erased: number;
  /** Entries that no seal covers yet. */
  readonly unsealed: {
    readonly count: number;
    readonly from: number | null;
    readonly oldestAt: string | null;
  };
  /** What retention took away, when it did. */
  readonly cut: { readonly position: number; readonly before: string } | null;
  /** The head this verdict is about: number and hash of the last seal. */
  readonly head: { readonly number: number; readonly hash: string } | null;
  /** At most 100 of them; `more` counts the rest. */
  readonly findings: readonly AuditFinding[];
  readonly more: number;
}

export interface AuditProgress {
  readonly entries: number;
  readonly seals: number;
  readonly runs: number;
}

/** Reading and checking the record. */
export interface AuditReader {
  list(filter: AuditFilter & { readonly cursor?: string; readonly limit: number }): Promise<{
    readonly acts: readonly AuditRow[];
    readonly next: string | null;
  }>;
  /** JSON lines: the public key, entries with their seals, the end. */
  export(filter: AuditFilter, signal: AbortSignal): AsyncIterable<string>;
  /** Progress now and then, the verdict last. */
  verify(signal: AbortSignal): AsyncIterable<{ progress: AuditProgress } | { verdict: AuditVerdict }>;
  /** One run's log, and what seals say of it. @throws BerthError `NOT_FOUND` */
  verifyRun(runId: string): Promise<AuditVerdict>;
}
