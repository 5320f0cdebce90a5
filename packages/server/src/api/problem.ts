import { hasZodFastifySchemaValidationErrors, isResponseSerializationError } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { asBerthError, BerthError, errorRegistry } from '../domain/errors/index.ts';

/** RFC 9457 with the registry's members; `exit` is what the CLI ends with. */
export const problemSchema = z
  .object({
    type: z.string(),
    title: z.string(),
    status: z.number(),
    detail: z.string(),
    code: z.string(),
    next: z.string().nullable(),
    retryable: z.boolean(),
    requestId: z.string(),
    exit: z.number(),
    details: z.record(z.string(), z.unknown()),
  })
  .meta({ id: 'Problem' });
export type Problem = z.infer<typeof problemSchema>;

export const problemType = 'application/problem+json';

/** Whatever was thrown in or before a handler, as a code of the registry. */
export function toBerthError(error: unknown): BerthError {
  if (error instanceof BerthError) return error;
  if (hasZodFastifySchemaValidationErrors(error)) {
    const fields = error.validation.map((issue) => ({
      field: fieldName(error.validationContext, issue.instancePath),
      message: issue.message ?? 'is not valid',
    }));
    const sentence = fields.map(({ field, message }) => `${field}: ${message}`).join('; ');
    return new BerthError('USAGE', sentence === '' ? undefined : sentence, { details: { fields } });
  }
  if (isResponseSerializationError(error)) {
    return new BerthError('INTERNAL', 'Unexpected error: the answer does not match its schema.', {
      cause: error,
      details: { issues: error.cause.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`) },
    });
  }
  if (isUnstorableText(error)) {
    return new BerthError('USAGE', 'A text holds a character that is none (NUL).', { cause: error });
  }
  const status = statusOf(error);
  if (status === 413) return new BerthError('BODY_TOO_LARGE', undefined, { cause: error });
  if (status === 404) return new BerthError('NOT_FOUND', messageOf(error), { cause: error });
  if (status !== null && status >= 400 && status < 500) {
    return new BerthError('USAGE', messageOf(error), { cause: error });
  }
  return asBerthError(error);
}

/** The document for an error; the sentence of an unforeseen one is kept out of the wire only by being short. */
export function problemOf(error: BerthError, requestId: string): Problem {
  const entry = errorRegistry[error.code];
  return {
    type: `urn:berth:error:${error.code}`,
    title: entry.sentence,
    status: entry.http,
    detail: error.message,
    code: error.code,
    next: error.next,
    retryable: error.retryable,
    requestId,
    exit: entry.exit,
    details: { ...error.details },
  };
}

function fieldName(context: string | undefined, instancePath: string): string {
  const path = instancePath.replace(/^\//, '').replaceAll('/', '.');
  if (path === '') return context ?? 'request';
  return context === 'body' || context === undefined ? path : `${context}.${path}`;
}

/** What PostgreSQL says of a text or JSON with U+0000: whoever sent it has to leave it out. */
function isUnstorableText(error: unknown): boolean {
  const code = typeof error === 'object' && error !== null && 'code' in error ? error.code : null;
  return code === '22021' || code === '22P05';
}

function statusOf(error: unknown): number | null {
  if (typeof error !== 'object' || error === null || !('statusCode' in error)) return null;
  return typeof error.statusCode === 'number' ? error.statusCode : null;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
