import type { AssistantPart, FinishReason, Model, ModelAnswer, ModelRequest } from '../domain/ports/model.ts';

export type Scripted =
  | { readonly parts: readonly AssistantPart[]; readonly finish?: FinishReason }
  | { readonly throws: Error }
  /** Never answers; ends only with the signal. */
  | { readonly hangs: true };

export interface ScriptedModelOptions {
  readonly id?: string;
  readonly contextTokens?: number;
  readonly maxOutputTokens?: number;
  readonly price?: Model['price'];
  readonly usage?: (request: ModelRequest) => { readonly input: number; readonly output: number };
}

/** A model in memory: what it says depends on the conversation alone, as a real one's answer would. */
export class ScriptedModel implements Model {
  readonly id: string;
  readonly contextTokens: number;
  readonly maxOutputTokens: number;
  readonly price: Model['price'];
  readonly simulated = true;
  /** Every request that arrived, in order. */
  readonly requests: ModelRequest[] = [];
  readonly #say: (request: ModelRequest) => Scripted;
  readonly #usage: NonNullable<ScriptedModelOptions['usage']>;

  constructor(say: (request: ModelRequest) => Scripted, options: ScriptedModelOptions = {}) {
    this.#say = say;
    this.id = options.id ?? 'scripted/model';
    this.contextTokens = options.contextTokens ?? 200_000;
    this.maxOutputTokens = options.maxOutputTokens ?? 32_000;
    this.price =
      options.price === undefined ? { input: 1, output: 5, cacheRead: 0.1, cacheWrite: 1.25 } : options.price;
    this.#usage = options.usage ?? (() => ({ input: 1000, output: 100 }));
  }

  async call(request: ModelRequest, options: { readonly signal: AbortSignal }): Promise<ModelAnswer> {
    this.requests.push(structuredClone(request));
    const said = this.#say(request);
    await Promise.resolve();
    options.signal.throwIfAborted();
    if ('throws' in said) throw said.throws;
    if ('hangs' in said) {
      return await new Promise((_, reject) =>
        options.signal.addEventListener('abort', () => reject(options.signal.reason as Error)),
      );
    }
    const { input, output } = this.#usage(request);
    return {
      parts: said.parts,
      finish: said.finish ?? (said.parts.some((part) => part.type === 'tool-call') ? 'tool-calls' : 'stop'),
      usage: {
        inputTokens: input,
        cachedInputTokens: 0,
        cacheWriteTokens: 0,
        outputTokens: Math.min(output, request.maxOutputTokens),
        reasoningTokens: 0,
      },
    };
  }
}

/** Says the n-th entry after n answers in the conversation, so that a repeated request gets the same answer. */
export function inTurn(entries: readonly Scripted[]): (request: ModelRequest) => Scripted {
  return (request) => {
    const answers = request.messages.filter((message) => message.role === 'assistant').length;
    return entries[answers] ?? { throws: new Error(`the script ends after ${entries.length} answers`) };
  };
}

export function text(said: string): Scripted {
  return { parts: [{ type: 'text', text: said }] };
}

/** An answer that calls tools, with ids as careless as some providers' (the same in every answer). */
export function calls(...list: readonly (readonly [name: string, input: unknown])[]): Scripted {
  return {
    parts: [
      { type: 'text', text: 'On it.' },
      ...list.map(([name, input], place) => ({
        type: 'tool-call' as const,
        id: `call_${place}`,
        name,
        input,
      })),
    ],
  };
}

export const finishes = calls(['finish', { result: 'done', summary: 'All done.' }]);
