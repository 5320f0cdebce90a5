import type { ColumnType, Generated } from 'kysely';

/** Tables of gates and notifications (migration 0010). */
export interface GateTables {
  notifications: {
    run_id: string;
    seq: number;
    type: string;
    attempts: Generated<number>;
    due_at: ColumnType<Date, Date | string | undefined, Date | string>;
  };
}
