import { family } from './entry.ts';

/** Codes of schedules and campaigns. */
export const jobErrors = family({
  SCHEDULE_FAILURES: {
    sentence: 'Its last runs failed in a row.',
    next: 'Look at the runs, then go on with `berth schedules resume NAME`.',
    retryable: false,
    http: 409,
    exit: 1,
  },
  SCHEDULE_PAUSED: {
    sentence: 'Somebody paused it.',
    next: 'Go on with `berth schedules resume NAME`.',
    retryable: false,
    http: 409,
    exit: 1,
  },
  SCHEDULE_OVERLAP: {
    sentence: 'An earlier run of it was not over.',
    next: 'Nothing, or set `overlap` of the schedule to `allow` or `replace`.',
    retryable: false,
    http: 409,
    exit: 1,
  },
  SCHEDULE_MISSED: {
    sentence: 'No worker was there at its time.',
    next: 'Nothing, or set `missed` of the schedule to `once`.',
    retryable: false,
    http: 409,
    exit: 1,
  },
  SCHEDULER_UNAVAILABLE: {
    sentence: 'Schedules cannot run: their queue does not start.',
    next: "The database's user must be able to create the schema `berth_jobs`; Berth tries again by itself.",
    retryable: true,
    http: 503,
    exit: 1,
  },
  CAMPAIGN_FAILURE_RATE: {
    sentence: 'Too many of its runs failed.',
    next: 'Look at `berth campaigns results ID`, then `berth campaigns resume ID` or `berth campaigns cancel ID`.',
    retryable: false,
    http: 409,
    exit: 1,
  },
  CAMPAIGN_CANARY_FAILED: {
    sentence: 'Its first runs did not succeed.',
    next: 'Look at `berth campaigns results ID`, then `berth campaigns resume ID` or `berth campaigns cancel ID`.',
    retryable: false,
    http: 409,
    exit: 1,
  },
  CAMPAIGN_PAUSED: {
    sentence: 'Somebody paused it.',
    next: 'Go on with `berth campaigns resume ID`.',
    retryable: false,
    http: 409,
    exit: 1,
  },
});
