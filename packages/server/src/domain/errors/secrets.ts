import { family } from './entry.ts';

/** Codes of secrets and the places they are read from. `SECRET_MISSING` stands with the store's. */
export const secretErrors = family({
  SECRET_UNAVAILABLE: {
    sentence: 'The place a secret is read from does not answer as it should.',
    next: 'Check what is named; `berth doctor` looks at every source. What needed the secret can be tried again.',
    retryable: true,
    http: 503,
    exit: 1,
  },
  SECRET_NOT_ALLOWED: {
    sentence: 'This project may not use the secret.',
    next: 'Have an admin list the project under `projects` of the secret, then start the task again.',
    retryable: false,
    http: 409,
    exit: 3,
  },
  SANDBOX_ENV_REFUSED: {
    sentence: 'A variable that would be forwarded to sandboxes cannot be.',
    next: 'Give it another name or a shorter value: PATH, proxy, certificate and loader variables are never replaced.',
    retryable: false,
    http: 422,
    exit: 2,
  },
});
