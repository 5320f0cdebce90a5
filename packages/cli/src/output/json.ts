import type { ApiFailure } from '@berth/client/api-failure.ts';
import { failure } from '../failure.ts';

/** One document and nothing else; readable on a TTY, one line elsewhere. */
export function document(value: object, isTty: boolean, fields: readonly string[] | null = null): string {
  const shown = fields === null ? value : pick(value, fields);
  return `${isTty ? JSON.stringify(shown, null, 2) : JSON.stringify(shown)}\n`;
}

/** The fields named in `--json=a,b`, in a list's items or in the document itself. */
function pick(value: object, fields: readonly string[]): object {
  if ('items' in value && Array.isArray(value.items)) {
    return { ...value, items: value.items.map((item) => pick(item as object, fields)) };
  }
  const unknown = fields.find((field) => !Object.hasOwn(value, field));
  if (unknown !== undefined) {
    throw failure(
      'USAGE',
      `There is no field ${JSON.stringify(unknown)} in this document.`,
      `Fields: ${Object.keys(value).join(', ')}.`,
    );
  }
  return Object.fromEntries(fields.map((field) => [field, (value as Record<string, unknown>)[field]]));
}

/** `berth.error/v1`, for stderr. */
export function failureDocument(error: ApiFailure): object {
  const { code, message, next, retryable, requestId, details } = error;
  return { schema: 'berth.error/v1', error: { code, message, next, retryable, requestId, details } };
}

/** `berth.list/v1`: lists under `--json`. */
export function listDocument(items: readonly object[], next: string | null): object {
  return { schema: 'berth.list/v1', items, next };
}
