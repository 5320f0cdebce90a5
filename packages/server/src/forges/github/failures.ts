import { z } from 'zod';
import { BerthError, type ErrorCode } from '../../domain/errors/index.ts';
import { visible } from '../../domain/events/index.ts';

/** Longest part of GitHub's own words that is shown. */
const longestWords = 300;

const refusalSchema = z.looseObject({
  message: z.string().optional(),
  errors: z
    .array(
      z.union([
        z.string(),
        z.looseObject({
          resource: z.string().optional(),
          field: z.string().optional(),
          code: z.string().optional(),
          message: z.string().nullish(),
        }),
      ]),
    )
    .optional(),
});

/** What GitHub says in a refusal. */
export interface Refusal {
  readonly message: string;
  /** `field:code` of each fault that names one. */
  readonly faults: readonly string[];
}

export function refusalOf(text: string): Refusal {
  const parsed = refusalSchema.safeParse(parsedJson(text));
  if (!parsed.success) return { message: '', faults: [] };
  const { message = '', errors = [] } = parsed.data;
  const words = errors.map((one) => (typeof one === 'string' ? one : (one.message ?? '')));
  return {
    message: visible([message, ...words].filter((one) => one !== '').join(': ')).slice(0, longestWords),
    faults: errors.flatMap((one) =>
      typeof one === 'string' ? [] : [`${one.field ?? ''}:${one.code ?? ''}`],
    ),
  };
}

/** The text as JSON, or undefined. */
export function parsedJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** An answer that is no success, for people. @param what was asked for, as in "reading pull request #3" */
export function failureOf(forge: string, what: string, answer: { status: number; text: string }): BerthError {
  const { status } = answer;
  const { message } = refusalOf(answer.text);
  const details = { forge, status, said: message };
  const said = message === '' ? '' : `: ${message}`;
  const fail = (code: ErrorCode, sentence: string): BerthError => new BerthError(code, sentence, { details });
  if (status === 401)
    return fail('FORGE_AUTH_FAILED', `${forge} does not accept the credential (${what})${said}.`);
  if (status === 403) return fail('FORGE_FORBIDDEN', `${forge} does not allow ${what}${said}.`);
  if (status === 404 || status === 410 || status === 451)
    return fail('FORGE_NOT_FOUND', `${forge} has nothing there, or does not show it: ${what}.`);
  if (status >= 500) return fail('FORGE_UNREACHABLE', `${forge} is in trouble (${status}) at ${what}.`);
  if (status >= 400) return fail('FORGE_REFUSED', `${forge} refused ${what} (${status})${said}.`);
  if (status >= 300) return fail('FORGE_ANSWER_INVALID', `${forge} leads elsewhere (${status}) at ${what}.`);
  return fail('FORGE_ANSWER_INVALID', `${forge} answered ${status} at ${what}.`);
}

/** No answer came. */
export function unreachable(forge: string, what: string, cause: unknown): BerthError {
  const reason = cause instanceof Error ? reasonOf(cause) : String(cause);
  const isTooLong = cause instanceof RangeError;
  return new BerthError(
    isTooLong ? 'FORGE_ANSWER_INVALID' : 'FORGE_UNREACHABLE',
    `${forge} ${isTooLong ? 'answered too much' : 'did not answer'} at ${what}: ${reason}.`,
    { cause, details: { forge } },
  );
}

function reasonOf(error: Error): string {
  if (error.name === 'TimeoutError') return 'it took too long';
  const code = 'code' in error && typeof error.code === 'string' ? error.code : null;
  return visible(error.message === '' ? (code ?? error.name) : error.message).slice(0, longestWords);
}
