import { family } from './entry.ts';

/** Codes of repositories and forges. */
export const gitErrors = family({
  REPO_NOT_FOUND: {
    sentence: 'There is no git repository at that address.',
    next: 'Give a path or URL that `git clone` accepts.',
    retryable: false,
    http: 422,
    exit: 8,
  },
});
