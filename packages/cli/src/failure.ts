import { ApiFailure } from '@berth/client/api-failure.ts';

/** Codes that the command itself raises; the registry of the server has the same rows (a test holds that). */
const ownCodes = {
  USAGE: { next: 'See `berth help`.', exit: 2 },
  NOT_FOUND: { next: 'List what there is with `berth runs`.', exit: 8 },
  TASK_EMPTY: { next: 'Say what is to be done: `berth run "fix the flaky date test"`.', exit: 2 },
  TASK_TOO_LONG: {
    next: 'Shorten it, and put what is long into a file of the repository.',
    exit: 2,
  },
  FILE_UNREADABLE: { next: 'Check the path and its permissions.', exit: 2 },
  LIMIT_INVALID: {
    next: 'Known limits: cost (dollars), tokens, steps, minutes (or time=30m), rounds (0 to 2).',
    exit: 2,
  },
  REPO_NOT_FOUND: { next: 'Give a path or URL that `git clone` accepts.', exit: 8 },
  SOCKET_UNSAFE: {
    next: 'Remove the directory named, or choose another data directory with BERTH_HOME.',
    exit: 4,
  },
  NOT_SIGNED_IN: { next: 'Sign in: `berth login`, or open the address in a browser.', exit: 4 },
  CREDENTIALS_UNSAFE: { next: 'Make it yours alone: `chmod 600` on the file named.', exit: 4 },
  REPO_WITHOUT_REMOTE: {
    next: 'Push it somewhere the server can read, or name a URL with --repo.',
    exit: 8,
  },
  SERVER_UNREACHABLE: { next: 'Repeat the command; it is safe.', exit: 10 },
} as const;

export type OwnCode = keyof typeof ownCodes;
export const ownCodeTable: Readonly<Record<OwnCode, { readonly next: string; readonly exit: number }>> =
  ownCodes;

/** A failure that the command finds itself. */
export function failure(code: OwnCode, message: string, next: string = ownCodes[code].next): ApiFailure {
  return new ApiFailure({ code, message, next, exit: ownCodes[code].exit });
}

/** The next step after a misspelling. */
export function didYouMean(words: readonly string[]): string {
  return words.length === 0 ? ownCodes.USAGE.next : `Did you mean \`${words.join('`, `')}\`?`;
}

/** Whatever was thrown, as something with a code, a sentence and a next step. */
export async function toFailure(thrown: unknown): Promise<ApiFailure> {
  if (thrown instanceof ApiFailure) return thrown;
  if (isCoded(thrown)) {
    // Thrown by a server this process hosts, so its registry is loaded already.
    const { errorRegistry, isErrorCode } = await import('@berth/server/domain/errors/index.ts');
    return new ApiFailure({
      code: thrown.code,
      message: thrown.message,
      next: thrown.next,
      retryable: thrown.retryable,
      details: thrown.details,
      exit: isErrorCode(thrown.code) ? errorRegistry[thrown.code].exit : 1,
      cause: thrown,
    });
  }
  return new ApiFailure({
    code: 'INTERNAL',
    message: `Unexpected error: ${thrown instanceof Error ? thrown.message : String(thrown)}`,
    next: 'This is a bug in Berth: report it with what BERTH_DEBUG=1 shows.',
    exit: 1,
    cause: thrown,
  });
}

interface Coded extends Error {
  readonly code: string;
  readonly next: string;
  readonly retryable: boolean;
  readonly details: Readonly<Record<string, unknown>>;
}

function isCoded(thrown: unknown): thrown is Coded {
  return thrown instanceof Error && thrown.name === 'BerthError' && 'code' in thrown && 'next' in thrown;
}
