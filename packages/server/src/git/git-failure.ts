import { BerthError } from '../domain/errors/index.ts';
import type { ErrorCode } from '../domain/errors/index.ts';
import { GitFailure } from './git-process.ts';
import { withoutCredentials } from './repository-address.ts';

/** What git says (with `LC_ALL=C`) and what it means; the first that matches wins. */
const meanings: ReadonlyArray<readonly [RegExp, ErrorCode]> = [
  [/no space left on device|disk quota exceeded/i, 'GIT_DISK_FULL'],
  [
    /authentication failed|could not read (username|password)|permission denied \((publickey|password)|http basic: access denied|host key verification failed|returned error: 40[13]|access denied|terminal prompts disabled/i,
    'REPO_AUTH_FAILED',
  ],
  [
    /could not resolve host|name or service not known|temporary failure in name resolution|connection (refused|timed out|reset)|network is unreachable|no route to host|failed to connect|couldn't connect|operation timed out|operation too slow|returned error: 5\d\d|ssl|certificate|unexpected disconnect|early eof/i,
    'REPO_UNREACHABLE',
  ],
  [
    /fsck error|object corrupt|bad object|loose object .* is corrupt|inflate|unable to parse|unresolved deltas|did not receive expected object|packfile .* (invalid|cannot)|sha1 mismatch/i,
    'REPO_DAMAGED',
  ],
  [
    /repository '.*' not found|repository not found|does not exist|no such file or directory|returned error: 404|project you were looking for could not be found/i,
    'REPO_NOT_FOUND',
  ],
  [/permission denied/i, 'REPO_PERMISSION_DENIED'],
  [/not a git repository|does not appear to be a git repository/i, 'REPO_NOT_A_REPOSITORY'],
];

/** The code for a failed git command that spoke with a repository's source. */
export function meaningOf(stderr: string, options: { readonly local: boolean }): ErrorCode {
  const remoteOnly: readonly ErrorCode[] = ['REPO_AUTH_FAILED', 'REPO_UNREACHABLE'];
  const possible = meanings.filter(([, code]) => !options.local || !remoteOnly.includes(code));
  return possible.find(([pattern]) => pattern.test(stderr))?.[1] ?? 'GIT_FAILED';
}

/**
 * Turns a failed git command into an error for people; everything else passes unchanged.
 *
 * @param subject address of a code host, or an absolute path: what was being read or written, as shown (credentials are removed here).
 */
export function asGitError(error: unknown, subject: string): unknown {
  if (!(error instanceof GitFailure)) return error;
  const said = withoutCredentials(error.stderr).trim().split('\n').slice(-12).join('\n');
  const code = meaningOf(error.stderr, { local: subject.startsWith('/') });
  const shown = withoutCredentials(subject);
  const details = { command: error.command, exitCode: error.exitCode, said, subject: shown };
  return new BerthError(code, sentences[code]?.(shown, said), { cause: error, details });
}

const sentences: Readonly<Partial<Record<ErrorCode, (subject: string, said: string) => string>>> = {
  REPO_AUTH_FAILED: (subject) => `The code host refused access to ${subject}.`,
  REPO_UNREACHABLE: (subject) => `The code host of ${subject} cannot be reached.`,
  REPO_NOT_FOUND: (subject) => `There is no git repository at ${subject}.`,
  REPO_PERMISSION_DENIED: (subject) => `${subject} may not be read by the user Berth runs as.`,
  REPO_NOT_A_REPOSITORY: (subject) => `${subject} is not a git repository.`,
  GIT_FAILED: (subject, said) => `Git failed on ${subject}: ${said.split('\n').at(-1) ?? ''}`,
};
