import type { Clock } from '../domain/ports/clock.ts';
import type { Model, ModelAnswer, ModelFrame, ModelPrice, ModelRequest } from '../domain/ports/model.ts';
import { AnswerCollector } from './collect.ts';
import { estimateTokens, textTokens } from './estimate.ts';
import { LostAnswers, lostUsage } from './lost-answers.ts';
import { modelError } from './failure.ts';
import { defaultRetryPolicy, withRetries } from './retry.ts';
import type { RetryPolicy } from './retry.ts';
import { loadSdk, sdkModel } from './sdk-model.ts';
import type { SdkPart } from './sdk.ts';
import { watchConnection } from './watched-fetch.ts';
import type { Fetch } from './watched-fetch.ts';
import { toSdkCall } from './wire.ts';
import type { Wire } from './wire.ts';

/** Hands out a key at the moment of a call; null for a server that wants none. */
export type KeySource = (signal: AbortSignal) => Promise<string | null>;

/** One model of one provider's server. */
export interface ProviderModelConfig {
  /** `provider/model`, as people see it. */
  readonly id: string;
  readonly wire: Wire;
  /** The name the server knows. */
  readonly modelName: string;
  /** Prefix of the API with its version (`https://…/v1`); the provider's own when left out (not for compatible servers). */
  readonly baseUrl?: string;
  readonly key: KeySource;
  readonly contextTokens: number;
  readonly maxOutputTokens: number;
  readonly price: ModelPrice | 'flat' | null;
  readonly retry?: RetryPolicy;
  /** Longest silence within a call; 180 s unless set: reasoning models do think that long between two events. */
  readonly idleTimeoutMs?: number;
  /**
   * Compatible servers only: whether reasoning goes back as `reasoning_content`, which DeepSeek and Kimi want within
   * a chain of tool calls and Groq and Mistral refuse. True unless set.
   */
  readonly returnReasoning?: boolean;
}

const defaultIdleTimeoutMs = 180_000;
/** The longest answers (128,000 tokens at 50 a second) take three quarters of an hour. */
const longestCallMs = 3_600_000;
/** An event of one token has 150 to 300 bytes, and OpenAI repeats the whole text at its end. */
const bytesPerToken = 1024;

/**
 * A model behind a provider's API, through the AI SDK's provider packages: one streaming request per attempt,
 * no tools run, no SDK retries, no telemetry. `fetch` is the way out (proxy, private CA).
 */
export function providerModel(
  config: ProviderModelConfig,
  ports: { readonly clock: Clock; readonly fetch?: Fetch },
): Model {
  const fetch = ports.fetch ?? globalThis.fetch;
  // Begun now, so that the first call need not wait for it; a failure shows at that call.
  loadSdk(config.wire).catch(() => undefined);
  return {
    id: config.id,
    contextTokens: config.contextTokens,
    maxOutputTokens: config.maxOutputTokens,
    price: config.price,
    simulated: false,
    call: async (request, options) => {
      const lost = new LostAnswers();
      try {
        const answer = await withRetries(
          () => lost.watch(callOnce(config, { clock: ports.clock, fetch }, request, options)),
          {
            policy: config.retry ?? defaultRetryPolicy,
            clock: ports.clock,
            signal: options.signal,
            onRetry: options.onRetry,
            mayRetry: async () => lost.mayRepeat(options.mayRepeat),
          },
        );
        return lost.addTo(answer);
      } catch (error) {
        throw lost.tell(error);
      }
    },
  };
}

async function callOnce(
  config: ProviderModelConfig,
  ports: { readonly clock: Clock; readonly fetch: Fetch },
  request: ModelRequest,
  options: { readonly signal: AbortSignal; readonly onFrame?: (frame: ModelFrame) => void },
): Promise<ModelAnswer> {
  const key = await config.key(options.signal);
  const idleMs = config.idleTimeoutMs ?? defaultIdleTimeoutMs;
  const connection = watchConnection({
    ...ports,
    idleMs,
    longestMs: longestCallMs,
    mostBytes: 8 * 1024 * 1024 + bytesPerToken * request.maxOutputTokens,
    signal: options.signal,
  });
  const collector = new AnswerCollector(request.maxOutputTokens, options.onFrame);
  let reader: ReadableStreamDefaultReader<SdkPart> | null = null;
  try {
    const model = await untilAborted(sdkModel(config, key, connection.fetch), connection.signal);
    const call = {
      ...toSdkCall(request, config.wire, config.returnReasoning ?? true),
      abortSignal: connection.signal,
    };
    const { stream } = await untilAborted(model.doStream(call), connection.signal);
    reader = stream.getReader();
    for (;;) {
      const { done, value } = await untilAborted(reader.read(), connection.signal);
      if (done) break;
      collector.take(value);
    }
    const lost = connection.lost();
    if (lost !== null) throw lost;
    return withEstimatedUsage(request, collector.answer());
  } catch (error) {
    options.signal.throwIfAborted();
    // Silence aborts with its own error; whatever the SDK made of that abort says less.
    const actual = connection.signal.aborted ? connection.signal.reason : error;
    throw modelError(actual, {
      modelId: config.id,
      begun: connection.begun(),
      nowMs: ports.clock.nowMs(),
      secrets: key === null ? [] : [key],
      ...(connection.begun() ? { lostUsage: lostUsage(request, collector.characters) } : {}),
    });
  } finally {
    connection.end();
    // Its body has ended now; what is left in the pipes is read and dropped.
    if (reader !== null) drain(reader).catch(() => undefined);
  }
}

/**
 * Some compatible servers report no usage. Taken for nothing, it would let a run pass its limits, so it is then
 * estimated, rather too high.
 */
function withEstimatedUsage(request: ModelRequest, answer: ModelAnswer): ModelAnswer {
  const { usage, parts } = answer;
  const inputTokens = usage.inputTokens > 0 ? usage.inputTokens : estimateTokens(request);
  const outputTokens =
    usage.outputTokens > 0 || parts.length === 0
      ? usage.outputTokens
      : Math.ceil(textTokens(JSON.stringify(parts)));
  return { ...answer, usage: { ...usage, inputTokens, outputTokens } };
}

async function drain(reader: ReadableStreamDefaultReader<SdkPart>): Promise<void> {
  while (!(await reader.read()).done);
}

/** `work`, or the signal's reason the moment it is aborted: a stuck connection must not hold up a cancel. */
async function untilAborted<T>(work: PromiseLike<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted();
  return await new Promise<T>((resolve, reject) => {
    const abort = (): void => reject(signal.reason instanceof Error ? signal.reason : new Error('aborted'));
    signal.addEventListener('abort', abort, { once: true });
    const settle = (): void => signal.removeEventListener('abort', abort);
    work.then(
      (value) => {
        settle();
        resolve(value);
      },
      (error: unknown) => {
        settle();
        reject(
          error instanceof Error
            ? error
            : Object.assign(new Error('The provider sent an error.'), { cause: error }),
        );
      },
    );
  });
}
