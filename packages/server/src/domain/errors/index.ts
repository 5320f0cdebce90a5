import { agentErrors } from './agent.ts';
import { apiErrors } from './api.ts';
import { auditErrors } from './audit.ts';
import { blueprintErrors } from './blueprint.ts';
import { configErrors } from './config.ts';
import { forgeErrors } from './forge.ts';
import { gateErrors } from './gates.ts';
import { gitErrors } from './git.ts';
import { inspectionErrors } from './inspection.ts';
import { jobErrors } from './jobs.ts';
import { limitsErrors } from './limits.ts';
import { modelErrors } from './model.ts';
import { runErrors } from './run.ts';
import { sandboxErrors } from './sandbox.ts';
import { secretErrors } from './secrets.ts';
import { sandboxKubernetesErrors } from './sandbox-kubernetes.ts';
import { serveErrors } from './serve.ts';
import { serviceErrors } from './services.ts';
import { signInErrors } from './sign-in.ts';
import { storeErrors } from './store.ts';
import { tokenErrors } from './tokens.ts';
import { triggerErrors } from './triggers.ts';
import { viewErrors } from './view.ts';

/**
 * The one registry of error codes. Every failure, refusal and wait that a person can see has an entry here;
 * `docs/errors.md` is generated from it and a test holds that no code is thrown that it does not know.
 */
export const errorRegistry = {
  ...agentErrors,
  ...apiErrors,
  ...auditErrors,
  ...blueprintErrors,
  ...configErrors,
  ...forgeErrors,
  ...gateErrors,
  ...gitErrors,
  ...inspectionErrors,
  ...jobErrors,
  ...limitsErrors,
  ...modelErrors,
  ...runErrors,
  ...sandboxErrors,
  ...secretErrors,
  ...sandboxKubernetesErrors,
  ...serveErrors,
  ...serviceErrors,
  ...signInErrors,
  ...storeErrors,
  ...tokenErrors,
  ...triggerErrors,
  ...viewErrors,
} as const;

export type ErrorCode = keyof typeof errorRegistry;

/** Whether `text` is a code of the registry (codes also arrive from the log, where they are plain text). */
export function isErrorCode(text: string): text is ErrorCode {
  return Object.hasOwn(errorRegistry, text);
}

/** An error that a person will read: a code of the registry, a sentence, and what to do next. */
export class BerthError extends Error {
  readonly code: ErrorCode;
  /** What to do next; the registry's advice unless the thrower knows better. */
  readonly next: string;
  /** Whether trying the same again later can succeed. */
  readonly retryable: boolean;
  /** Facts for programs and for the details view; never secrets. */
  readonly details: Readonly<Record<string, unknown>>;

  constructor(
    code: ErrorCode,
    sentence?: string,
    options: { cause?: unknown; next?: string; details?: Record<string, unknown> } = {},
  ) {
    const entry = errorRegistry[code];
    super(sentence ?? entry.sentence, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'BerthError';
    this.code = code;
    this.next = options.next ?? entry.next;
    this.retryable = entry.retryable;
    this.details = options.details ?? {};
  }
}

/** `error` as a `BerthError`: itself when it is one, otherwise wrapped as `INTERNAL` with its cause kept. */
export function asBerthError(error: unknown): BerthError {
  if (error instanceof BerthError) return error;
  if (error instanceof Error && 'code' in error && (error.code === 'ENOSPC' || error.code === 'EDQUOT')) {
    return new BerthError('DATABASE_DISK_FULL', 'The disk that holds the data directory is full.', {
      cause: error,
    });
  }
  const sentence = error instanceof Error ? error.message : String(error);
  return new BerthError('INTERNAL', `Unexpected error: ${sentence}`, { cause: error });
}
