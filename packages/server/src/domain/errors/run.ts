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
  RUN_PAUSED: {
    sentence: 'The run is paused.',
    next: 'Go on with `berth resume RUN`.',
    retryable: false,
    http: 409,
    exit: 9,
  },
  WORKER_STOPPING: {
    sentence: 'The worker is stopping; the run goes on where it was when a worker is back.',
    next: 'Start Berth again, or `berth resume RUN`.',
    retryable: true,
    http: 503,
    exit: 10,
  },
  STEP_FAILED: {
    sentence: 'A step of the run failed.',
    next: 'Look at its output with `berth logs RUN`.',
    retryable: false,
    http: 409,
    exit: 3,
  },
  AMBIGUOUS_ID: {
    sentence: 'More than one object has an id that begins so.',
    next: 'Give more characters of the id.',
    retryable: false,
    http: 400,
    exit: 2,
  },
});
