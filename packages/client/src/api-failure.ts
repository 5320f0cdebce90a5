import type { components } from './generated/api.ts';

export type Problem = components['schemas']['Problem'];

/** A request that did not succeed: the server's own words, or that there was no server to say any. */
export class ApiFailure extends Error {
  readonly code: string;
  readonly next: string | null;
  readonly retryable: boolean;
  readonly requestId: string | null;
  /** What the `berth` command ends with. */
  readonly exit: number;
  readonly details: Readonly<Record<string, unknown>>;

  constructor(facts: {
    readonly code: string;
    readonly message: string;
    readonly next: string | null;
    readonly retryable?: boolean;
    readonly requestId?: string | null;
    readonly exit: number;
    readonly details?: Readonly<Record<string, unknown>>;
    readonly cause?: unknown;
  }) {
    super(facts.message, facts.cause === undefined ? undefined : { cause: facts.cause });
    this.name = 'ApiFailure';
    this.code = facts.code;
    this.next = facts.next;
    this.retryable = facts.retryable ?? false;
    this.requestId = facts.requestId ?? null;
    this.exit = facts.exit;
    this.details = facts.details ?? {};
  }
}

/** From a problem document; anything else that came instead of one is said to be so. */
export function failureFrom(body: unknown, status: number): ApiFailure {
  if (isProblem(body)) return new ApiFailure({ ...body, message: body.detail });
  return new ApiFailure({
    code: status === 503 ? 'SERVER_UNREACHABLE' : 'INTERNAL',
    message: `The server answered ${status} without saying why.`,
    next: 'Is it a Berth server of this version?',
    retryable: status === 503,
    exit: status === 503 ? 10 : 1,
  });
}

/**
 * Nobody listens, or the connection broke before an answer.
 * @param origin of a server on another machine; null: that of the data directory
 */
export function unreachable(cause: unknown, origin: string | null = null): ApiFailure {
  const why = cause instanceof Error && 'code' in cause ? String(cause.code) : '';
  const isCertificate = /CERT|SELF_SIGNED|ISSUER|ALTNAME/.test(why);
  return new ApiFailure({
    code: 'SERVER_UNREACHABLE',
    message:
      origin === null
        ? 'The server of the data directory does not answer.'
        : `${origin} does not answer${why === '' ? '' : ` (${why})`}.`,
    next: isCertificate
      ? 'Where the certificate is of an authority of your own, name its file in NODE_EXTRA_CA_CERTS.'
      : 'Repeat the command; it is safe.',
    retryable: true,
    exit: 10,
    cause,
  });
}

export function isUnreachable(error: unknown): boolean {
  return error instanceof ApiFailure && error.code === 'SERVER_UNREACHABLE';
}

function isProblem(body: unknown): body is Problem {
  return (
    typeof body === 'object' &&
    body !== null &&
    'code' in body &&
    typeof body.code === 'string' &&
    'detail' in body &&
    typeof body.detail === 'string' &&
    'exit' in body &&
    typeof body.exit === 'number'
  );
}
