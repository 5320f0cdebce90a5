import { BerthError } from '../domain/errors/index.ts';
import type {
  AssistantPart,
  FinishReason,
  ModelAnswer,
  ModelFrame,
  ModelUsage,
} from '../domain/ports/model.ts';
import type { SdkFinish, SdkPart } from './sdk.ts';

type Meta = Readonly<Record<string, Readonly<Record<string, unknown>>>>;

/** A block of the answer that is still being streamed. */
interface OpenBlock {
  readonly kind: 'text' | 'reasoning' | 'tool-input';
  readonly toolName?: string;
  /** Where its part stands in the answer; null for tool input, whose part comes whole. */
  readonly place: number | null;
  text: string;
  meta: Meta | undefined;
}

/**
 * More than this many characters per allowed output token is no answer but a flood: tokens have about 4
 * characters, runs of white space seldom more than 30. The rest pays for a small maximum.
 */
const charactersPerToken = 64;
const characterAllowance = 64 * 1024;

/** Builds an answer from the parts of one stream and tells the live frames. */
export class AnswerCollector {
  readonly #parts: (AssistantPart | null)[] = [];
  readonly #open = new Map<string, OpenBlock>();
  readonly #onFrame: ((frame: ModelFrame) => void) | undefined;
  readonly #mostCharacters: number;
  #characters = 0;
  #finish: SdkFinish | null = null;

  constructor(maxOutputTokens: number, onFrame: ((frame: ModelFrame) => void) | undefined) {
    this.#mostCharacters = characterAllowance + charactersPerToken * maxOutputTokens;
    this.#onFrame = onFrame;
  }

  /** Takes one part; throws what the provider sent as an error, for the caller to classify. */
  take(part: SdkPart): void {
    switch (part.type) {
      case 'text-start':
      case 'reasoning-start': {
        const kind = part.type === 'text-start' ? 'text' : 'reasoning';
        this.#parts.push(null);
        this.#open.set(`${kind}:${part.id}`, {
          kind,
          place: this.#parts.length - 1,
          text: '',
          meta: part.providerMetadata,
        });
        return;
      }
      case 'text-delta':
        return this.#grow(`text:${part.id}`, part.delta, part.providerMetadata);
      case 'reasoning-delta':
        return this.#grow(`reasoning:${part.id}`, part.delta, part.providerMetadata);
      case 'text-end':
        return this.#close(`text:${part.id}`, part.providerMetadata);
      case 'reasoning-end':
        return this.#close(`reasoning:${part.id}`, part.providerMetadata);
      case 'tool-input-start':
        this.#open.set(`tool:${part.id}`, {
          kind: 'tool-input',
          toolName: part.toolName,
          place: null,
          text: '',
          meta: undefined,
        });
        return;
      case 'tool-input-delta':
        return this.#grow(`tool:${part.id}`, part.delta, undefined);
      case 'tool-input-end':
        this.#open.delete(`tool:${part.id}`);
        return;
      case 'tool-call':
        this.#parts.push(toToolCall(part));
        return;
      case 'finish':
        // A provider may follow a finish with another that says the stream broke off; the last one counts.
        this.#finish = part;
        return;
      case 'error':
        throw part.error;
      case 'stream-start':
      case 'response-metadata':
      case 'ping':
      case 'raw':
        return;
      case 'custom':
      case 'file':
      case 'reasoning-file':
      case 'source':
      case 'tool-approval-request':
      case 'tool-result':
        // What providers run or look up themselves: never asked for, and nothing the loop can use.
        return;
    }
  }

  /** The answer, after the stream has ended; throws `MODEL_STREAM_TRUNCATED` when the provider never said so. */
  answer(): ModelAnswer {
    const finish = this.#finish;
    if (finish === null || isCutOff(finish)) throw new BerthError('MODEL_STREAM_TRUNCATED');
    for (const key of this.#open.keys()) if (!key.startsWith('tool:')) this.#close(key, undefined);
    const parts = this.#parts.filter((part) => part !== null).filter((part) => !isEmpty(part));
    return { parts, finish: finishReason(finish, parts), usage: toUsage(finish.usage) };
  }

  /** How much has arrived, for an estimate of what a lost answer cost. */
  get characters(): number {
    return this.#characters;
  }

  #grow(key: string, delta: string, meta: Meta | undefined): void {
    const block = this.#open.get(key);
    this.#characters += delta.length;
    if (this.#characters > this.#mostCharacters) {
      throw new BerthError(
        'MODEL_ANSWER_INVALID',
        'The answer of the model is many times longer than was allowed.',
      );
    }
    if (block === undefined) return;
    block.text += delta;
    block.meta = mergeMeta(block.meta, meta);
    if (delta === '') return;
    this.#onFrame?.({
      kind: block.kind,
      ...(block.toolName === undefined ? {} : { toolName: block.toolName }),
      text: delta,
    });
  }

  #close(key: string, meta: Meta | undefined): void {
    const block = this.#open.get(key);
    if (block === undefined || block.place === null) return;
    this.#open.delete(key);
    const all = mergeMeta(block.meta, meta);
    this.#parts[block.place] =
      block.kind === 'text'
        ? { type: 'text', text: block.text }
        : { type: 'reasoning', text: block.text, ...(all === undefined ? {} : { providerData: all }) };
  }
}

/** The tool call of a stream: its arguments as an object, or as raw text when they are none. */
function toToolCall(part: Extract<SdkPart, { type: 'tool-call' }>): AssistantPart {
  const base = {
    type: 'tool-call' as const,
    id: part.toolCallId,
    name: part.toolName,
    ...(part.providerMetadata === undefined ? {} : { providerData: part.providerMetadata }),
  };
  // A call without arguments is written as nothing at all by some providers.
  if (part.input.trim() === '') return { ...base, input: {} };
  try {
    const input: unknown = JSON.parse(part.input);
    if (typeof input === 'object' && input !== null && !Array.isArray(input)) return { ...base, input };
  } catch {
    // Falls through: the raw text says more than the parser's complaint.
  }
  return { ...base, input: null, malformed: part.input };
}

function mergeMeta(first: Meta | undefined, second: Meta | undefined): Meta | undefined {
  if (first === undefined || second === undefined) return second ?? first;
  const merged: Record<string, Readonly<Record<string, unknown>>> = { ...first };
  for (const [provider, data] of Object.entries(second)) merged[provider] = { ...merged[provider], ...data };
  return merged;
}

function isEmpty(part: AssistantPart): boolean {
  return (
    (part.type === 'text' && part.text === '') ||
    (part.type === 'reasoning' && part.text === '' && part.providerData === undefined)
  );
}

/** The SDK's providers end a broken stream with a finish of their own making; only a true one has a reason. */
function isCutOff(finish: SdkFinish): boolean {
  const { unified, raw } = finish.finishReason;
  return unified === 'interrupted' || ((unified === 'other' || unified === 'error') && raw === undefined);
}

function finishReason(finish: SdkFinish, parts: readonly AssistantPart[]): FinishReason {
  const hasCalls = parts.some((part) => part.type === 'tool-call');
  const { unified } = finish.finishReason;
  if (unified === 'content-filter') return 'refusal';
  if (unified === 'length') return 'length';
  // Some compatible servers say `stop` beside tool calls.
  return hasCalls ? 'tool-calls' : 'stop';
}

/** Counts as the contract wants them: totals that include their parts, whole and never negative. */
function toUsage(usage: SdkFinish['usage']): ModelUsage {
  const count = (value: number | undefined): number =>
    value !== undefined && value > 0 ? Math.ceil(value) : 0;
  const cachedInputTokens = count(usage.inputTokens.cacheRead);
  const cacheWriteTokens = count(usage.inputTokens.cacheWrite);
  const reasoningTokens = count(usage.outputTokens.reasoning);
  return {
    inputTokens: Math.max(count(usage.inputTokens.total), cachedInputTokens + cacheWriteTokens),
    cachedInputTokens,
    cacheWriteTokens,
    outputTokens: Math.max(count(usage.outputTokens.total), reasoningTokens),
    reasoningTokens,
  };
}
