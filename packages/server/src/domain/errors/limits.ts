import { family } from './entry.ts';

/** Codes of budgets and of waiting in line. */
export const limitsErrors = family({
  LIMIT_BUDGET_COST: {
    sentence: 'The budget is used up.',
    next: 'Go on with `berth resume RUN` when the period has turned or the budget was raised; `berth usage --budgets` shows it.',
    retryable: false,
    http: 409,
    exit: 7,
  },
  LIMIT_BUDGET_TOKENS: {
    sentence: 'The token budget is used up.',
    next: 'Go on with `berth resume RUN` when the period has turned or the budget was raised; `berth usage --budgets` shows it.',
    retryable: false,
    http: 409,
    exit: 7,
  },
  QUEUE_PRINCIPAL_CAP: {
    sentence: 'As many runs as allowed are active for this person.',
    next: 'The run starts by itself when one of them ends; the cap is a setting.',
    retryable: true,
    http: 409,
    exit: 1,
  },
  QUEUE_BUDGET: {
    sentence: 'A budget is used up.',
    next: 'The run starts by itself when the period turns or the budget is raised.',
    retryable: true,
    http: 409,
    exit: 1,
  },
  QUEUE_NO_WORKER: {
    sentence: 'No worker is alive.',
    next: 'Start one: `berth up`, or `berth serve --parts worker`.',
    retryable: true,
    http: 409,
    exit: 1,
  },
});
