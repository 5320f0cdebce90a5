import type { ColumnType, Generated, JSONColumnType } from 'kysely';
import type { ConfigTables } from './config-tables.ts';
import type { AuditTables } from './audit-tables.ts';
import type { DeliveryTables } from './delivery-tables.ts';
import type { GateTables } from './gate-tables.ts';
import type { TokenTables } from './token-tables.ts';
import type { SignInTables } from './sign-in-tables.ts';
import type { CampaignTables } from './campaign-tables.ts';
import type { ScheduleTables } from './schedule-tables.ts';
import type { SnapshotTables } from './snapshot-tables.ts';

type Instant = ColumnType<Date, Date | string, Date | string>;
type GeneratedInstant = ColumnType<Date, Date | string | undefined, Date | string>;
/** `bigint` and `numeric` arrive as text. */
type Big = ColumnType<string, number | string | undefined, number | string>;

export interface Tables
  extends
    ConfigTables,
    AuditTables,
    SignInTables,
    TokenTables,
    GateTables,
    ScheduleTables,
    CampaignTables,
    SnapshotTables,
    DeliveryTables {
  schema_migrations: {
    number: number;
    name: string;
    checksum: string;
    applied_at: GeneratedInstant;
  };
  projects: {
    id: string;
    /** Unique: grants of roles go by it. */
    name: string;
    repository: string;
    created_at: GeneratedInstant;
    /** Whether the configuration names it now. */
    configured: Generated<boolean>;
  };
  tasks: {
    id: string;
    project_id: string;
    title: string;
    text: string;
    origin: JSONColumnType<object>;
    branch: string;
    idempotency_key: string | null;
    /** Principal id that rights on "own" objects are decided by. */
    owner: string;
    created_at: GeneratedInstant;
  };
  workers: {
    id: string;
    address: string | null;
    registered_at: GeneratedInstant;
    lease_expires_at: Instant;
  };
  runs: RunsTable;
  events: {
    run_id: string;
    seq: number;
    type: string;
    version: number;
    at: Instant;
    payload_hash: string;
    prev_hash: string;
    hash: string;
  };
  event_payloads: {
    run_id: string;
    seq: number;
    data: JSONColumnType<object> | null;
    blob: string | null;
    erased_at: Instant | null;
  };
  run_snapshots: {
    run_id: string;
    seq: number;
    version: number;
    hash: string;
    state: JSONColumnType<object>;
  };
  view_snapshots: {
    run_id: string;
    seq: number;
    version: number;
    hash: string;
    state: JSONColumnType<object>;
  };
  inbox: {
    id: string;
    position: Generated<string>;
    run_id: string;
    kind: string;
    data: JSONColumnType<object>;
    by: string;
    posted_at: GeneratedInstant;
    consumed_seq: number | null;
  };
  run_budgets: {
    run_id: string;
    cap_usd: Big;
    cap_tokens: Big;
    cap_steps: number;
    limits: JSONColumnType<object>;
    used_usd: Big;
    used_tokens: Big;
    used_steps: Generated<number>;
    reserved_usd: Big;
    reserved_tokens: Big;
    reserved_steps: Generated<number>;
  };
  reservations: {
    run_id: string;
    call_id: string;
    usd: Big;
    tokens: Big;
    settled_usd: Big | null;
    settled_tokens: Big | null;
    reserved_at: GeneratedInstant;
    settled_at: Instant | null;
    project_id: string | null;
    principal: string | null;
    model: string | null;
  };
  budget_use: {
    scope: string;
    id: string;
    per: string;
    starts: string;
    used_usd: Big;
    reserved_usd: Big;
    used_tokens: Big;
    reserved_tokens: Big;
    runs: Generated<number>;
  };
  usage_ledger: {
    day: string;
    project_id: string;
    principal: string;
    model: string;
    cost_usd: Big;
    input_tokens: Big;
    output_tokens: Big;
    cached_tokens: Big;
    calls: Generated<number>;
    lost_usd: Big;
    lost_tokens: Big;
    runs: Generated<number>;
  };
}

export interface RunsTable {
  id: string;
  task_id: string;
  project_id: string;
  parent: string | null;
  attempt: number;
  created_at: GeneratedInstant;
  seq: number;
  head: string;
  owner_worker: string | null;
  owner_epoch: Generated<number>;
  waiting: Generated<boolean>;
  queued_at: GeneratedInstant;
  queue_code: string | null;
  queue_reason: string | null;
  queue_line: string | null;
  queue_until: Instant | null;
  held_until: Instant | null;
  held_code: string | null;
  held_reason: string | null;
  held_times: Generated<number>;
  admitted_at: Instant | null;
  /** Copied from the task by the database. */
  principal: ColumnType<string, never, never>;
  inbox_count: Generated<number>;
  state: string;
  code: string | null;
  reason: string;
  next: string | null;
  since: Instant;
  last_event_at: Instant | null;
  step: string | null;
  round_n: number | null;
  round_of: number | null;
  cost_usd: Generated<number>;
  input_tokens: Big;
  output_tokens: Big;
  cached_tokens: Big;
  model_calls: Generated<number>;
  active_ms: Big;
  pull_request: JSONColumnType<object> | null;
  config_revision: number | null;
  priority: Generated<number>;
  parent_seq: number | null;
  changes: JSONColumnType<object> | null;
  strip: JSONColumnType<object> | null;
  /** The transaction that changed it last; set by a trigger. */
  changed: Generated<string>;
  /** The open gate (`GateRecord`). */
  gate: JSONColumnType<object> | null;
  gate_expires_at: Instant | null;
}
