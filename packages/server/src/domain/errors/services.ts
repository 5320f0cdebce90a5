import { family } from './entry.ts';

/** Codes of services beside a sandbox. */
export const serviceErrors = family({
  SANDBOX_SERVICE_NOT_READY: {
    sentence: 'A service of the sandbox did not get ready.',
    next: 'Look at the end of its log: it has to run as an unprivileged user without capabilities, with data only in tmpfs; raise `readyWithin` or `memoryMiB` of the service if it only was slow or too small.',
    retryable: false,
    http: 422,
    exit: 3,
  },
  SANDBOX_SERVICE_ENDED: {
    sentence: 'A service of the sandbox ended unexpectedly.',
    next: 'Nothing to do the first time: it is started again, once, with empty data. When it repeats, look at the end of its log.',
    retryable: true,
    http: 503,
    exit: 3,
  },
});
