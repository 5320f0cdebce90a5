import { BerthError } from '../domain/errors/index.ts';
import type { ErrorCode } from '../domain/errors/index.ts';
import type { Clock } from '../domain/ports/clock.ts';
import type { Model, ModelPrice } from '../domain/ports/model.ts';
import { estimateTokens } from './estimate.ts';
import { LostAnswers } from './lost-answers.ts';

/** Told when a call goes to the next model. */
export interface FallbackNotice {
  readonly from: string;
  readonly to: string;
  readonly code: ErrorCode;
  readonly sentence: string;
  /** How long the first is left alone, milliseconds. */
  readonly coolDownMs: number;
}

/**
 * How long a model is left alone after a failure of this kind, in milliseconds. A kind that is not named here is
 * a property of the request (refusal, overflow, bad request): another model is no answer to it.
 */
const coolDownMs: Partial<Record<ErrorCode, number>> = {
  MODEL_KEY_REJECTED: 600_000,
  MODEL_UNKNOWN: 600_000,
  MODEL_QUOTA_EXHAUSTED: 600_000,
  MODEL_WINDOW_EXHAUSTED: 900_000,
  MODEL_OVERLOADED: 120_000,
  MODEL_RATE_LIMITED: 60_000,
  MODEL_UNAVAILABLE: 120_000,
  MODEL_UNREACHABLE: 120_000,
  MODEL_TIMEOUT: 120_000,
  MODEL_STREAM_TRUNCATED: 30_000,
  MODEL_ANSWER_INVALID: 30_000,
};

/**
 * Several models as one: a call goes to the first that is not cooling down, and on to the next when that one is
 * unavailable. Shows the first one's id and sizes; its price is the dearest of all, so that what is reserved
 * for a call is enough whoever answers (`answeredBy` then tells the true price). Models into whose window the
 * request may not fit are passed over. When all are cooling down all are tried in order.
 */
export function withFallback(
  models: readonly Model[],
  options: { readonly clock: Clock; readonly onFallback?: ((notice: FallbackNotice) => void) | undefined },
): Model {
  const [first] = models;
  if (first === undefined) throw new BerthError('MODEL_NOT_CONFIGURED');
  if (models.length === 1) return first;
  const { clock } = options;
  const coolUntilMs = new Map<Model, number>();

  return {
    id: first.id,
    contextTokens: first.contextTokens,
    maxOutputTokens: first.maxOutputTokens,
    price: dearest(models.map((model) => model.price)),
    simulated: models.every((model) => model.simulated),
    call: async (request, callOptions) => {
      const nowMs = clock.monotonicMs();
      const inputTokens = estimateTokens(request);
      const fitting = models.filter((model) => model === first || model.contextTokens > inputTokens);
      const ready = fitting.filter((model) => (coolUntilMs.get(model) ?? 0) <= nowMs);
      const order = ready.length > 0 ? ready : fitting;
      const lost = new LostAnswers();
      for (let place = 0; ; place++) {
        const model = order[place]!;
        try {
          const maxOutputTokens = Math.min(request.maxOutputTokens, model.maxOutputTokens);
          const answer = lost.addTo(
            await lost.watch(model.call({ ...request, maxOutputTokens }, callOptions)),
          );
          coolUntilMs.delete(model);
          return { ...answer, answeredBy: answer.answeredBy ?? { id: model.id, price: model.price } };
        } catch (error) {
          callOptions.signal.throwIfAborted();
          if (!(error instanceof BerthError)) throw error;
          const restMs = coolDownOf(error, clock.nowMs());
          if (restMs === null) throw error;
          coolUntilMs.set(model, clock.monotonicMs() + restMs);
          const next = order[place + 1];
          if (next === undefined || !(await lost.mayRepeat(callOptions.mayRepeat))) throw lost.tell(error);
          options.onFallback?.({
            from: model.id,
            to: next.id,
            code: error.code,
            sentence: error.message,
            coolDownMs: restMs,
          });
        }
      }
    },
  };
}

/** Longest that a provider's word about its return is believed: six hours, then it is tried again anyway. */
const longestCoolDownMs = 21_600_000;

function coolDownOf(error: BerthError, nowMs: number): number | null {
  const usual = coolDownMs[error.code];
  if (usual === undefined) return null;
  const returnsAtMs = error.details['returnsAtMs'];
  const waitMs = error.details['waitMs'];
  const toldMs =
    typeof returnsAtMs === 'number' ? returnsAtMs - nowMs : typeof waitMs === 'number' ? waitMs : usual;
  return Math.min(longestCoolDownMs, Math.max(0, toldMs));
}

/** Per field the highest price; unknown when any is unknown; flat only when all are. */
export function dearest(prices: readonly (ModelPrice | 'flat' | null)[]): ModelPrice | 'flat' | null {
  let most: ModelPrice | 'flat' = 'flat';
  for (const price of prices) {
    if (price === null) return null;
    if (price === 'flat') continue;
    if (most === 'flat') most = price;
    else {
      most = {
        input: Math.max(most.input, price.input),
        output: Math.max(most.output, price.output),
        cacheRead: Math.max(most.cacheRead, price.cacheRead),
        cacheWrite: Math.max(most.cacheWrite, price.cacheWrite),
      };
    }
  }
  return most;
}
