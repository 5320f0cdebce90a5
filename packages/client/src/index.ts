export { ApiFailure, failureFrom, isUnreachable } from './api-failure.ts';
export {
  createClient,
  type AuditAct,
  type AuditQuery,
  type AuditVerdict,
  type BerthClient,
  type CreatedToken,
  type Config,
  type ConfigRevision,
  type Budgets,
  type Doctor,
  type EgressExplained,
  type EgressQuery,
  type Event,
  type EventSummary,
  type Gate,
  type GateDecision,
  type Limits,
  type LiveFrame,
  type NewTask,
  type NewToken,
  type Project,
  type ProjectRow,
  type ProjectSnapshots,
  type Outline,
  type Proposal,
  type ProposalWithBody,
  type Run,
  type RowQuery,
  type RunOptions,
  type RunRow,
  type RunState,
  type RunStateView,
  type Status,
  type Task,
  type Token,
  type Usage,
  type TaskRow,
} from './client.ts';
export { followRun, type Followed, type FollowOptions } from './follow-run.ts';
export { harmless, harmlessLine } from './harmless.ts';
export type { ServerAddress } from './http-fetch.ts';
export { socketPathOf } from './socket-path.ts';
export type { Delivery, Trigger, TriggerTrial } from './deliveries.ts';
export type { Campaign, CampaignResult, NewCampaign, Schedule } from './jobs.ts';
