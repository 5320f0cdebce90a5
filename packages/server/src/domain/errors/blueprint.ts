import { family } from './entry.ts';

/** Codes of blueprints, checks and verification. */
export const blueprintErrors = family({
  BLUEPRINT_INVALID: {
    sentence: 'The blueprint is not valid.',
    next: 'Correct the line and column named; `docs/blueprints.md` describes every field.',
    retryable: false,
    http: 422,
    exit: 2,
  },
});
