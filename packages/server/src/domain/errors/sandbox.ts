import { family } from './entry.ts';

/** Codes of sandboxes, the channel and egress. */
export const sandboxErrors = family({
  SANDBOX_LOST: {
    sentence: 'The sandbox ended unexpectedly.',
    next: 'The run goes on in a new sandbox from its last checkpoint.',
    retryable: true,
    http: 503,
    exit: 3,
  },
});
