import type { AssistantPart, FinishReason, ModelPrice, ModelUsage } from '../../domain/ports/model.ts';
import { defaultPurpose } from './fingerprint.ts';
import type { Cassette, CassetteEntry, Expectation, Pattern } from './format.ts';

/** One answer of a scripted model. */
export interface ScriptedAnswer {
  /** Which conversation it belongs to; `agent` unless said. */
  readonly purpose?: string;
  /** Its number in that conversation, from 0; the next one unless said. 0 begins another take of a conversation. */
  readonly turn?: number;
  readonly expect?: {
    readonly lastUserIncludes?: Pattern | RegExp;
    readonly lastResultsInclude?: Pattern | RegExp;
    readonly tools?: readonly string[];
  };
  readonly think?: string;
  readonly say?: string;
  readonly toolCalls?: readonly {
    readonly name: string;
    readonly input?: unknown;
    readonly id?: string;
    /** Raw text of arguments that are no JSON. */
    readonly malformed?: string;
  }[];
  readonly finish?: FinishReason;
  readonly usage?: Partial<ModelUsage>;
  readonly paceMs?: number;
}

export interface ScriptOptions {
  /** `provider/model`; `cassette/scripted` unless said. */
  readonly model?: string;
  readonly price?: ModelPrice | 'flat' | null;
  readonly contextTokens?: number;
  readonly maxOutputTokens?: number;
  /** For every answer that names no pace of its own. */
  readonly paceMs?: number;
}

/** What a middling model costs, so that limits have something to count. */
const scriptedPrice: ModelPrice = { input: 3, output: 15, cacheRead: 0.3, cacheWrite: 3.75 };

/**
 * A cassette written by hand, for tests and the demo:
 *
 *     script([{ expect: { lastUserIncludes: 'date' }, say: 'I look at it.', toolCalls: [{ name: 'read', input: { path: 'a.ts' } }] }])
 *
 * Usage that is not given is estimated from the answer's length, with an input that grows from turn to turn.
 */
export function script(answers: readonly ScriptedAnswer[], options: ScriptOptions = {}): Cassette {
  const nextTurn = new Map<string, number>();
  const entries = answers.map((answer): CassetteEntry => {
    const purpose = answer.purpose ?? defaultPurpose;
    const turn = answer.turn ?? nextTurn.get(purpose) ?? 0;
    nextTurn.set(purpose, turn + 1);
    const parts = partsOf(answer, purpose, turn);
    const hasCalls = parts.some((part) => part.type === 'tool-call');
    const paceMs = answer.paceMs ?? options.paceMs;
    return {
      purpose,
      turn,
      ...(answer.expect === undefined ? {} : { expect: expectationOf(answer.expect) }),
      answer: {
        parts,
        finish: answer.finish ?? (hasCalls ? 'tool-calls' : 'stop'),
        usage: usageOf(answer, parts, turn),
      },
      ...(paceMs === undefined ? {} : { paceMs }),
    };
  });
  return {
    head: {
      cassette: 1,
      model: options.model ?? 'cassette/scripted',
      price: options.price === undefined ? scriptedPrice : options.price,
      contextTokens: options.contextTokens ?? 200_000,
      maxOutputTokens: options.maxOutputTokens ?? 32_000,
    },
    entries,
  };
}

function partsOf(answer: ScriptedAnswer, purpose: string, turn: number): AssistantPart[] {
  const parts: AssistantPart[] = [];
  if (answer.think !== undefined) parts.push({ type: 'reasoning', text: answer.think });
  if (answer.say !== undefined) parts.push({ type: 'text', text: answer.say });
  for (const [place, call] of (answer.toolCalls ?? []).entries()) {
    const id = call.id ?? `${purpose}-${turn}-${place}`;
    const base = { type: 'tool-call' as const, id, name: call.name };
    parts.push(
      call.malformed === undefined
        ? { ...base, input: call.input ?? {} }
        : { ...base, input: null, malformed: call.malformed },
    );
  }
  return parts;
}

function expectationOf(expect: NonNullable<ScriptedAnswer['expect']>): Expectation {
  const pattern = (value: Pattern | RegExp): Pattern =>
    value instanceof RegExp ? { regex: value.source } : value;
  return {
    ...(expect.lastUserIncludes === undefined ? {} : { lastUserIncludes: pattern(expect.lastUserIncludes) }),
    ...(expect.lastResultsInclude === undefined
      ? {}
      : { lastResultsInclude: pattern(expect.lastResultsInclude) }),
    ...(expect.tools === undefined ? {} : { tools: expect.tools }),
  };
}

function usageOf(answer: ScriptedAnswer, parts: readonly AssistantPart[], turn: number): ModelUsage {
  const inputTokens = answer.usage?.inputTokens ?? 2000 + 600 * turn;
  return {
    inputTokens,
    cachedInputTokens: turn === 0 ? 0 : Math.floor(inputTokens * 0.8),
    cacheWriteTokens: 0,
    outputTokens: Math.ceil(JSON.stringify(parts).length / 4),
    reasoningTokens: 0,
    ...answer.usage,
  };
}
