import type { ColumnType } from 'kysely';

type Instant = ColumnType<Date, Date | string, Date | string>;

/** Tables of schedules (migration 0011). */
export interface ScheduleTables {
  schedule_states: {
    name: string;
    definition: string;
    handled_to: Instant;
    paused_at: ColumnType<Date | null, Date | null | undefined, Date | null>;
    paused_by: ColumnType<string | null, string | null | undefined, string | null>;
    paused_code: ColumnType<string | null, string | null | undefined, string | null>;
    paused_reason: ColumnType<string | null, string | null | undefined, string | null>;
    judged_from: Instant;
  };
  schedule_firings: {
    schedule: string;
    planned_at: Instant;
    kind: 'planned' | 'missed' | 'asked';
    outcome: 'open' | 'handed_in' | 'left_out' | 'refused';
    task_id: string | null;
    code: string | null;
    reason: string | null;
    by: string;
    decided_at: Instant;
  };
}
