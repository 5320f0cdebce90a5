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
  AGENT_SILENT: {
    sentence: 'The agent gave empty answers and was stopped.',
    next: 'Retry; if it happens again, choose another model.',
    retryable: true,
    http: 409,
    exit: 5,
  },
  AGENT_IDLE: {
    sentence: 'The agent talked without doing anything and was stopped.',
    next: 'Read its last words with `berth logs`, then retry with a more exact task.',
    retryable: false,
    http: 409,
    exit: 5,
  },
  AGENT_GAVE_UP: {
    sentence: 'The agent says that the task cannot be carried out.',
    next: 'Read its reasons with `berth show`, then change the task and retry.',
    retryable: false,
    http: 409,
    exit: 5,
  },
  AGENT_REFUSED: {
    sentence: 'The model refused the task.',
    next: 'Read its reasons with `berth logs`; reword the task or choose another model.',
    retryable: false,
    http: 409,
    exit: 5,
  },
  AGENT_ANSWER_LOST: {
    sentence: 'The answer of a model call was lost in an interruption.',
    next: 'Go on with `berth resume RUN`: the call is made once more, and may be billed again.',
    retryable: true,
    http: 503,
    exit: 5,
  },
  AGENT_CONTEXT_FULL: {
    sentence: 'The conversation does not fit the model, and condensing it did not help.',
    next: 'Choose a model with a larger window, or split the task.',
    retryable: false,
    http: 409,
    exit: 5,
  },
});
