import type { ColumnType } from 'kysely';

type GeneratedInstant = ColumnType<Date, Date | string | undefined, Date | string>;

/** Tables of snapshots of setup (migration 0013). */
export interface SnapshotTables {
  setup_snapshots: {
    key: string;
    project_id: string;
    blob: string;
    files: number;
    /** `bigint` arrives as text. */
    bytes: ColumnType<string, number, number>;
    stored_bytes: ColumnType<string, number, number>;
    made_at: GeneratedInstant;
    last_used_at: GeneratedInstant;
    run_id: string;
  };
}
