/** The room's public face: everything other rooms use of it. */
export { openGate } from './gates.ts';
export { readinessOf } from './readiness.ts';
export { resolveBlueprint } from './resolve.ts';
export type {
  AgentRunner,
  ChangedFile,
  JudgeModel,
  MadeProposal,
  OfferSettings,
  PolicyFinding,
  PrefetchItem,
  PrefetchSource,
  ProposalStore,
  StepDeps,
  StepOutcome,
  Waits,
} from './steps/step.ts';
export { enterStep } from './walk.ts';
export { decide, type Decision, type RunEnd, type Visit } from './walker.ts';
