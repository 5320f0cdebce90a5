import { family } from './entry.ts';

/** Codes of the API, and the one for what nobody foresaw. */
export const apiErrors = family({
  INTERNAL: {
    sentence: 'Unexpected error.',
    next: 'This is a bug in Berth: report it with the details shown.',
    retryable: false,
    http: 500,
    exit: 1,
  },
  USAGE: {
    sentence: 'The request is not valid.',
    next: 'Correct what the message names and send it again.',
    retryable: false,
    http: 400,
    exit: 2,
  },
  NOT_FOUND: {
    sentence: 'There is no such object.',
    next: 'List what there is with `berth runs`.',
    retryable: false,
    http: 404,
    exit: 8,
  },
  CONFLICT: {
    sentence: 'That is not possible in the present state.',
    next: 'Look at the present state with `berth show`.',
    retryable: false,
    http: 409,
    exit: 9,
  },
});
