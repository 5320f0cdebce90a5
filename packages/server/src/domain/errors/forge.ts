import { family } from './entry.ts';

/** Codes of code hosts: what they refuse, and what keeps us from them. */
export const forgeErrors = family({
  FORGE_UNKNOWN: {
    sentence: 'The project names a code host that is not configured, or is not on it.',
    next: 'List it under `forges` in the configuration, or correct `forge` of the project; `berth config check` shows where.',
    retryable: false,
    http: 409,
    exit: 3,
  },
  FORGE_UNREACHABLE: {
    sentence: 'The code host does not answer.',
    next: 'Check `url`, `apiUrl`, `ca`, the proxy settings (HTTPS_PROXY) and the status page of the code host; then try again.',
    retryable: true,
    http: 502,
    exit: 10,
  },
  FORGE_ANSWER_INVALID: {
    sentence: 'The code host answered something that is not of its API.',
    next: 'Check that `apiUrl` leads to its API and no proxy answers in its place; then try again.',
    retryable: true,
    http: 502,
    exit: 10,
  },
  FORGE_AUTH_FAILED: {
    sentence: 'The code host does not accept the credential.',
    next: 'Check that the token is still valid, or the id and key of the App; `berth doctor` tries them.',
    retryable: false,
    http: 502,
    exit: 4,
  },
  FORGE_FORBIDDEN: {
    sentence: 'The code host does not allow that with this credential.',
    next: 'Give the App or token the permissions listed in docs/forges.md; `berth doctor` names those that are missing.',
    retryable: false,
    http: 502,
    exit: 4,
  },
  FORGE_NOT_FOUND: {
    sentence: 'The code host has no such thing, or does not show it to this credential.',
    next: 'Check the address of the repository, and that the App is installed on it or the token may see it.',
    retryable: false,
    http: 404,
    exit: 8,
  },
  FORGE_RATE_LIMITED: {
    sentence: 'The code host takes no more requests for now.',
    next: 'Wait until the time named, then try again.',
    retryable: true,
    http: 503,
    exit: 10,
  },
  FORGE_REFUSED: {
    sentence: 'The code host refused the request.',
    next: 'What it said is in the sentence; rules of the repository (branch protection, merge methods, drafts) are set there.',
    retryable: false,
    http: 409,
    exit: 9,
  },
});
