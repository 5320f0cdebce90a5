import type { ColumnType, Generated, JSONColumnType } from 'kysely';

/** The record of acts and its seals (migration 6). */
export interface AuditTables {
  audit_entries: {
    position: Generated<string>;
    act: string;
    phase: 'whole' | 'begin' | 'end';
    at: ColumnType<Date, string, never>;
    by_id: string;
    by_kind: string;
    token_id: string | null;
    via: string;
    action: string;
    object_kind: string;
    object_id: string;
    project_id: string | null;
    result: string | null;
    code: string | null;
    address: string | null;
    agent: string | null;
    request_id: string | null;
    details: JSONColumnType<Record<string, unknown>>;
  };
  audit_seals: {
    number: string;
    kind: 'seal' | 'cut';
    at: ColumnType<Date, string, never>;
    from_position: string;
    to_position: string;
    count: number;
    leaves: Buffer;
    runs: ColumnType<unknown, string, never>;
    cut: ColumnType<unknown, string | null, never>;
    prev_hash: string;
    hash: string;
    key_id: string;
    signature: string;
  };
  audit_anchored: { run_id: string; seq: number; head: string };
}
