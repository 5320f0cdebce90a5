import { family } from './entry.ts';

/** Codes of gates: waiting for a person's approval, and what came of it. */
export const gateErrors = family({
  GATE_START: {
    sentence: 'The run waits for approval before it starts.',
    next: 'Decide: `berth approve RUN` or `berth refuse RUN`.',
    retryable: false,
    http: 409,
    exit: 5,
  },
  GATE_PROPOSAL: {
    sentence: 'The change waits for approval before it is pushed.',
    next: 'Look at it with `berth diff RUN`, then `berth approve RUN` or `berth refuse RUN`.',
    retryable: false,
    http: 409,
    exit: 5,
  },
  GATE_OBJECTION: {
    sentence: 'Judge or policy objects to the change; it waits for a person.',
    next: 'Look at it with `berth diff RUN`, then `berth approve RUN` or `berth refuse RUN`.',
    retryable: false,
    http: 409,
    exit: 5,
  },
  GATE_REFUSED: {
    sentence: 'A person refused what the run asked approval for.',
    next: 'Read why with `berth show RUN`; a new attempt is `berth run`.',
    retryable: false,
    http: 409,
    exit: 6,
  },
  GATE_EXPIRED: {
    sentence: 'Nobody approved in time.',
    next: 'Ask again with `berth resume RUN`.',
    retryable: false,
    http: 409,
    exit: 5,
  },
  GATE_DECIDED: {
    sentence: 'This gate is decided already.',
    next: 'See what became of it with `berth show RUN`.',
    retryable: false,
    http: 409,
    exit: 9,
  },
  GATE_CHANGED: {
    sentence: 'What is to be approved is not what was looked at.',
    next: 'Look at it again with `berth diff RUN`, then decide.',
    retryable: false,
    http: 409,
    exit: 9,
  },
  NOTIFICATION_FAILED: {
    sentence: 'A notification could not be delivered.',
    next: 'Look at `notifications.webhook` of the configuration and at its receiver; it is tried again by itself.',
    retryable: true,
    http: 502,
    exit: 10,
  },
  GATE_SELF_APPROVAL: {
    sentence: 'The project lets nobody approve their own task.',
    next: 'Ask another approver of the project.',
    retryable: false,
    http: 403,
    exit: 4,
  },
});
