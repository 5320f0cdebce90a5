import type { EgressExplained, EgressQuestion } from '../egress-explained.ts';

/** Says what the policy of a project's runs would decide now. Rights were decided before it is asked. */
export interface EgressExplainer {
  /** @throws BerthError `NOT_FOUND`, `USAGE` for a host that is none */
  explain(projectId: string, question: EgressQuestion, signal: AbortSignal): Promise<EgressExplained>;
}
