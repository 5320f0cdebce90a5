/** A name that configuration maps to models in fallback order. */
export type ModelSlot = 'primary' | 'fast' | 'condense' | 'judge';

export interface ToolSpec {
  readonly name: string;
  readonly description: string;
  /** JSON Schema of the input. */
  readonly inputSchema: Readonly<Record<string, unknown>>;
}

export interface TextPart {
  readonly type: 'text';
  readonly text: string;
}
/** Kept because some providers want their reasoning back, signed, with the next call. */
export interface ReasoningPart {
  readonly type: 'reasoning';
  readonly text: string;
  readonly providerData?: Readonly<Record<string, unknown>>;
}
export interface ToolCallPart {
  readonly type: 'tool-call';
  readonly id: string;
  readonly name: string;
  readonly input: unknown;
  /** Set when the arguments were no valid JSON object: the raw text; `input` is then null. */
  readonly malformed?: string;
  /** What the provider wants back with this call (Gemini's thought signature, say); opaque. */
  readonly providerData?: Readonly<Record<string, unknown>>;
}
export interface ToolResultPart {
  readonly type: 'tool-result';
  readonly id: string;
  readonly name: string;
  readonly text: string;
  readonly isError: boolean;
}

export type AssistantPart = TextPart | ReasoningPart | ToolCallPart;
export type Message =
  | { readonly role: 'user'; readonly parts: readonly TextPart[] }
  | { readonly role: 'assistant'; readonly parts: readonly AssistantPart[] }
  | { readonly role: 'tool'; readonly parts: readonly ToolResultPart[] };

export interface ModelRequest {
  /** The call's id in the log. */
  readonly callId: string;
  /**
   * Which conversation of the run this call belongs to: `agent` (the default, repair rounds included, as they
   * go on in the same conversation), `condense`, `judge`, or any other name that stays the same within one
   * conversation. Never sent to a provider; cassettes find their place by it.
   */
  readonly purpose?: string;
  /** Byte-identical from call to call of one agent step, so that provider caches work. */
  readonly system: string;
  readonly messages: readonly Message[];
  readonly tools: readonly ToolSpec[];
  readonly maxOutputTokens: number;
}

export interface ModelUsage {
  /** All input tokens, cached ones included. */
  readonly inputTokens: number;
  readonly cachedInputTokens: number;
  readonly cacheWriteTokens: number;
  /** All output tokens, reasoning included. */
  readonly outputTokens: number;
  readonly reasoningTokens: number;
}

export type FinishReason = 'stop' | 'tool-calls' | 'length' | 'refusal';

export interface ModelAnswer {
  readonly parts: readonly AssistantPart[];
  readonly finish: FinishReason;
  readonly usage: ModelUsage;
  /** Set when a fallback answered: whose answer this is, and what its tokens cost. */
  readonly answeredBy?: { readonly id: string; readonly price: ModelPrice | 'flat' | null };
}

export type ModelFrame = {
  readonly kind: 'text' | 'reasoning' | 'tool-input';
  readonly toolName?: string;
  readonly text: string;
};

/** US dollars per million tokens. */
export interface ModelPrice {
  readonly input: number;
  readonly output: number;
  readonly cacheRead: number;
  readonly cacheWrite: number;
}

/**
 * One model of one provider. One call is one answer; tools are run by the caller. Retries inside a call
 * honour Retry-After and are reported through `onRetry`; what cannot be mended by waiting is thrown as a
 * `BerthError` with a `MODEL_*` code.
 */
export interface Model {
  /** `provider/model`, as shown to people and looked up in the price table. */
  readonly id: string;
  readonly contextTokens: number;
  readonly maxOutputTokens: number;
  /** Null: not known, and then a call is refused unless the price is configured as `flat`. */
  readonly price: ModelPrice | 'flat' | null;
  /** True for cassettes: nothing is spent and this is said wherever results are shown. */
  readonly simulated: boolean;
  call(
    request: ModelRequest,
    options: {
      readonly signal: AbortSignal;
      readonly onFrame?: (frame: ModelFrame) => void;
      readonly onRetry?: (retry: {
        readonly code: string;
        readonly waitMs: number;
        readonly attempt: number;
      }) => void;
      /**
       * Asked before a request is sent again although an answer to it had begun and may be billed: the reservation
       * covers one. False: it is not sent again, and the call fails. Rejections are thrown. Left out: it may be.
       */
      readonly mayRepeat?: () => Promise<boolean>;
    },
  ): Promise<ModelAnswer>;
}
