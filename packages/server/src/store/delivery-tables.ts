import type { ColumnType, Generated, JSONColumnType } from 'kysely';
import type { DeliveryEntrance, DeliveryState } from '../domain/deliveries.ts';

type Instant = ColumnType<Date, Date | string, Date | string>;

/** Tables of deliveries and of what was made of them (migration 0015). */
export interface DeliveryTables {
  deliveries: {
    id: string;
    entrance: DeliveryEntrance;
    name: string;
    external_id: string;
    fingerprint: string | null;
    event: string;
    subject: string | null;
    project_id: string | null;
    body: string;
    bytes: number;
    received_at: Instant;
    state: DeliveryState;
    round: Generated<number>;
    attempts: Generated<number>;
    code: string | null;
    reason: string | null;
    notes: JSONColumnType<readonly string[], string | undefined>;
    trigger: string | null;
    task_id: string | null;
    settled_at: ColumnType<Date | null, Date | null | undefined, Date | null>;
  };
  trigger_objects: { key: string; task_id: string | null; first_seen_at: Instant };
  trigger_acknowledgements: {
    task_id: string;
    project_id: string;
    number: number;
    told: string | null;
    attempts: Generated<number>;
    due_at: ColumnType<Date | null, Date | null | undefined, Date | null>;
  };
}
