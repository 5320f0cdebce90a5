import { z } from 'zod';
import { BerthError } from '../../domain/errors/index.ts';
import type { AssistantPart, ModelAnswer, ModelPrice } from '../../domain/ports/model.ts';

/**
 * # The cassette format
 *
 * A text file of JSON lines. The first line is the head:
 *
 *     {"cassette":1,"model":"anthropic/claude-x","price":{…}|"flat"|null,"contextTokens":200000,"maxOutputTokens":64000}
 *
 * Each further line is one answered call:
 *
 *     {"purpose":"agent","turn":0,"fingerprint":["…","…"],"expect":{…},"answer":{…},"paceMs":20}
 *
 * - `purpose`: which conversation of the run (see `ModelRequest.purpose`; `agent` when the request names none).
 * - `turn`: how many assistant messages the request already held, from 0. Purpose and turn together are the
 *   place on the cassette, and both are read from the request: a worker that starts again finds its place.
 *   Several entries with one purpose and turn are takes of separate conversations (a second judge, say): the one
 *   whose fingerprint or expectation fits is used.
 * - `fingerprint` (recorded cassettes): what each message of the request looked like after normalisation (see
 *   `fingerprint.ts`), one short line per message; strict playing compares them.
 * - `expect` (cassettes written by hand): what the request must contain; strict playing checks it.
 * - `answer`: parts, finish and usage as the model gave them, and `answeredBy` where a fallback did.
 * - `paceMs`: a pause between two live frames, so that a demo looks alive; 0 or absent: none.
 *
 * A line that was cut off by a crash at the end of the file is left out; a broken line elsewhere is an error.
 */
export interface Cassette {
  readonly head: CassetteHead;
  readonly entries: readonly CassetteEntry[];
}

export interface CassetteHead {
  readonly cassette: 1;
  readonly model: string;
  readonly price: ModelPrice | 'flat' | null;
  readonly contextTokens: number;
  readonly maxOutputTokens: number;
}

export interface CassetteEntry {
  readonly purpose: string;
  readonly turn: number;
  readonly fingerprint?: readonly string[] | undefined;
  readonly expect?: Expectation | undefined;
  readonly answer: ModelAnswer;
  readonly paceMs?: number | undefined;
}

/** What a hand-written entry wants of its request. A text is a substring; `{"regex":"…"}` a regular expression. */
export interface Expectation {
  /** In the last user message. */
  readonly lastUserIncludes?: Pattern | undefined;
  /** In the tool results after the last assistant message, joined by new lines. */
  readonly lastResultsInclude?: Pattern | undefined;
  /** Tools that must be on offer. */
  readonly tools?: readonly string[] | undefined;
}
export type Pattern = string | { readonly regex: string };

const count = z.number().int().nonnegative();
const price = z.object({
  input: z.number().nonnegative(),
  output: z.number().nonnegative(),
  cacheRead: z.number().nonnegative(),
  cacheWrite: z.number().nonnegative(),
});
const anyPrice = z.union([price, z.literal('flat'), z.null()]);
const head = z.object({
  cassette: z.literal(1),
  model: z.string().min(1),
  price: anyPrice,
  contextTokens: count,
  maxOutputTokens: count,
});
const providerData = z.record(z.string(), z.unknown()).optional();
const part = z.discriminatedUnion('type', [
  z.object({ type: z.literal('text'), text: z.string() }),
  z.object({ type: z.literal('reasoning'), text: z.string(), providerData }),
  z.object({
    type: z.literal('tool-call'),
    id: z.string().min(1),
    name: z.string(),
    input: z.unknown(),
    malformed: z.string().optional(),
    providerData,
  }),
]);
const pattern = z.union([
  z.string(),
  z.object({ regex: z.string().refine(isRegex, 'is no regular expression') }),
]);
const entry = z.object({
  purpose: z.string().min(1),
  turn: count,
  fingerprint: z.array(z.string()).optional(),
  expect: z
    .object({
      lastUserIncludes: pattern.optional(),
      lastResultsInclude: pattern.optional(),
      tools: z.array(z.string()).optional(),
    })
    .optional(),
  answer: z.object({
    parts: z.array(part),
    finish: z.enum(['stop', 'tool-calls', 'length', 'refusal']),
    usage: z.object({
      inputTokens: count,
      cachedInputTokens: count,
      cacheWriteTokens: count,
      outputTokens: count,
      reasoningTokens: count,
    }),
    answeredBy: z.object({ id: z.string(), price: anyPrice }).optional(),
  }),
  paceMs: z.number().nonnegative().max(10_000).optional(),
});

/** Reads a cassette's text. Throws `CASSETTE_INVALID` naming the line. */
export function parseCassette(text: string): Cassette {
  const lines = text.split('\n');
  const isCutOff = lines.at(-1) !== '';
  const values: { readonly line: number; readonly value: unknown }[] = [];
  for (const [place, line] of lines.entries()) {
    if (line.trim() === '') continue;
    try {
      values.push({ line: place + 1, value: JSON.parse(line) });
    } catch {
      if (isCutOff && place === lines.length - 1 && values.length > 0) break;
      throw invalid(place + 1, 'it is not JSON');
    }
  }
  const [first, ...rest] = values;
  if (first === undefined) throw new BerthError('CASSETTE_INVALID', 'The cassette is empty.');
  const parsedHead = head.safeParse(first.value);
  if (!parsedHead.success) throw invalid(first.line, problemOf(parsedHead.error));
  const entries = rest.map(({ line, value }): CassetteEntry => {
    const parsed = entry.safeParse(value);
    if (!parsed.success) throw invalid(line, problemOf(parsed.error));
    const { answer } = parsed.data;
    return {
      ...parsed.data,
      answer: {
        parts: answer.parts.map(withoutUndefined),
        finish: answer.finish,
        usage: answer.usage,
        ...(answer.answeredBy === undefined ? {} : { answeredBy: answer.answeredBy }),
      },
    };
  });
  return { head: parsedHead.data, entries };
}

/** One line of a cassette, new line included. */
export function cassetteLine(value: CassetteHead | CassetteEntry): string {
  return `${JSON.stringify(value)}\n`;
}

/** The whole text of a cassette. */
export function cassetteText(cassette: Cassette): string {
  return cassetteLine(cassette.head) + cassette.entries.map((item) => cassetteLine(item)).join('');
}

function withoutUndefined(value: z.infer<typeof part>): AssistantPart {
  if (value.type !== 'tool-call') {
    if (value.type === 'text' || value.providerData === undefined)
      return { type: value.type, text: value.text };
    return { type: 'reasoning', text: value.text, providerData: value.providerData };
  }
  const { type, id, name, input, malformed } = value;
  return {
    type,
    id,
    name,
    input: input ?? null,
    ...(malformed === undefined ? {} : { malformed }),
    ...(value.providerData === undefined ? {} : { providerData: value.providerData }),
  };
}

function isRegex(text: string): boolean {
  try {
    return new RegExp(text, 's') instanceof RegExp;
  } catch {
    return false;
  }
}

function invalid(line: number, problem: string): BerthError {
  return new BerthError('CASSETTE_INVALID', `The cassette cannot be read: line ${line}: ${problem}.`, {
    details: { line },
  });
}

function problemOf(error: z.ZodError): string {
  const [issue] = error.issues;
  return issue === undefined ? 'it is not valid' : `${issue.path.join('.') || 'the line'}: ${issue.message}`;
}
