import { family } from './entry.ts';

/** Codes of tokens, idempotency keys, rate limits, and of the way to a remote server. */
export const tokenErrors = family({
  TOKEN_EXPIRED: {
    sentence: 'The token has expired.',
    next: 'Make a new one: `berth tokens create`.',
    retryable: false,
    http: 401,
    exit: 4,
  },
  TOKEN_REVOKED: {
    sentence: 'The token was revoked.',
    next: 'Make a new one: `berth tokens create`.',
    retryable: false,
    http: 401,
    exit: 4,
  },
  TOKEN_OWNER_DISABLED: {
    sentence: 'Whoever the token belongs to is shut out.',
    next: 'Ask an admin.',
    retryable: false,
    http: 401,
    exit: 4,
  },
  TOKEN_MAY_NOT_MINT: {
    sentence: 'A token cannot make tokens.',
    next: 'Sign in as a person, or run `berth tokens create` on the machine of the server.',
    retryable: false,
    http: 403,
    exit: 4,
  },
  TOO_MANY_ATTEMPTS: {
    sentence: 'Too many requests with a wrong credential came from this address.',
    next: 'Wait as long as Retry-After says, and correct the credential.',
    retryable: true,
    http: 429,
    exit: 10,
  },
  RATE_LIMITED: {
    sentence: 'Too many requests in a short time.',
    next: 'Wait as long as Retry-After says.',
    retryable: true,
    http: 429,
    exit: 10,
  },
  IDEMPOTENCY_KEY_REUSED: {
    sentence: 'This idempotency key was used for another request.',
    next: 'Send the request as it was, or with a new key.',
    retryable: false,
    http: 422,
    exit: 2,
  },
  IDEMPOTENCY_UNDER_WAY: {
    sentence: 'The first request with this idempotency key is still under way.',
    next: 'Repeat it in a moment: the first answer comes again.',
    retryable: true,
    http: 409,
    exit: 10,
  },
  IDEMPOTENCY_ANSWER_NOT_KEPT: {
    sentence:
      'A request with this idempotency key was carried out; its answer holds a secret and was not kept.',
    next: 'Look at what it made; where its secret is lost, revoke it and make another with a new key.',
    retryable: false,
    http: 409,
    exit: 9,
  },
  SERVER_INSECURE: {
    sentence:
      'The server is addressed over plain http on another machine: the token could be read on the way.',
    next: 'Use https, or --insecure-http where the way is safe.',
    retryable: false,
    http: 400,
    exit: 4,
  },
  SERVER_REDIRECTED: {
    sentence:
      'The server answered with a redirect, which is not followed: it could lead the token elsewhere.',
    next: 'Give the address that it leads to with --server, if you trust it.',
    retryable: false,
    http: 400,
    exit: 4,
  },
  CREDENTIALS_UNSAFE: {
    sentence: 'The file with the tokens can be read by others.',
    next: 'Make it yours alone: `chmod 600` on the file named.',
    retryable: false,
    http: 400,
    exit: 4,
  },
  REPO_WITHOUT_REMOTE: {
    sentence: 'The repository has no remote URL that another machine could reach.',
    next: 'Push it somewhere the server can read, or name a URL with --repo.',
    retryable: false,
    http: 400,
    exit: 8,
  },
});
