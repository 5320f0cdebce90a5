import { family } from './entry.ts';

/** Codes of runs and their limits. */
export const runErrors = family({
  RUN_CANCELLED: {
    sentence: 'The run was cancelled.',
    next: 'Start it again with `berth run`.',
    retryable: false,
    http: 409,
    exit: 6,
  },
  LIMIT_COST: {
    sentence: 'The run reached its cost limit.',
    next: 'Raise it and go on: `berth resume RUN --limit cost=N`.',
    retryable: false,
    http: 409,
    exit: 7,
  },
  LIMIT_TOKENS: {
    sentence: 'The run reached its token limit.',
    next: 'Raise it and go on: `berth resume RUN --limit tokens=N`.',
    retryable: false,
    http: 409,
    exit: 7,
  },
  LIMIT_STEPS: {
    sentence: 'The run reached its limit of model calls.',
    next: 'Raise it and go on: `berth resume RUN --limit steps=N`.',
    retryable: false,
    http: 409,
    exit: 7,
  },
  LIMIT_MINUTES: {
    sentence: 'The run reached its time limit.',
    next: 'Raise it and go on: `berth resume RUN --limit minutes=N`.',
    retryable: false,
    http: 409,
    exit: 7,
  },
});
