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
  SANDBOX_ENV_RESERVED: {
    sentence:
      'A variable that would be forwarded to sandboxes has a name that Berth or the tools inside depend on.',
    next: 'Give the variable another name: PATH, proxy, certificate and loader variables are never replaced.',
    retryable: false,
    http: 422,
    exit: 2,
  },
});
