import type { ColumnType, Generated, JSONColumnType } from 'kysely';

type Instant = ColumnType<Date, Date | string, Date | string>;
type Later<Type> = ColumnType<Type | null, Type | null | undefined, Type | null>;

/** Tables of campaigns (migration 0012). */
export interface CampaignTables {
  campaigns: {
    id: string;
    title: string;
    text: string;
    options: JSONColumnType<object>;
    created_by: string;
    created_at: Instant;
    concurrency: number;
    canary: number;
    stop_rate: number | null;
    stop_after: number;
    state: 'running' | 'paused' | 'stopped' | 'cancelled' | 'done';
    code: Later<string>;
    reason: Later<string>;
    state_by: string;
    state_since: Instant;
    canary_passed: Generated<boolean>;
    judged_from: Instant;
  };
  campaign_projects: {
    campaign_id: string;
    project_id: string;
    position: number;
    claimed_at: Later<Date>;
    task_id: Later<string>;
    refused_code: Later<string>;
    refused_reason: Later<string>;
    retry_of: Later<string>;
    retry_claimed: Generated<boolean>;
    cancel_asked: Generated<boolean>;
  };
}
