import { family } from './entry.ts';

/** Codes of the database and the event log. */
export const storeErrors = family({
  DATABASE_UNAVAILABLE: {
    sentence: 'The database does not answer.',
    next: 'Nothing new is started until it is back; runs go on by themselves then.',
    retryable: true,
    http: 503,
    exit: 10,
  },
  OWNERSHIP_LOST: {
    sentence: 'Another worker has taken over this run.',
    next: 'Nothing: the new owner goes on with it.',
    retryable: false,
    http: 409,
    exit: 1,
  },
});
