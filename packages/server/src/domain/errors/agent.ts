import { family } from './entry.ts';

/** Codes of the agent loop and its tools. */
export const agentErrors = family({
  AGENT_STUCK: {
    sentence: 'The agent repeated itself without getting further and was stopped.',
    next: 'Retry with a more exact task, or another model.',
    retryable: false,
    http: 409,
    exit: 5,
  },
});
