import { BerthError, asBerthError } from '../domain/errors/index.ts';
import type { ErrorCode } from '../domain/errors/index.ts';
import type {
  AssistantPart,
  Model,
  ModelAnswer,
  ModelRequest,
  ModelSlot,
  ModelUsage,
} from '../domain/ports/model.ts';
import { costUsd, upperBoundUsd } from '../models/index.ts';
import { orAborted } from './or-aborted.ts';
import type { Session } from './session.ts';

/** Failures after which the provider certainly billed nothing: the reservation is given back. */
const unbilled: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'MODEL_NOT_CONFIGURED',
  'MODEL_KEY_REJECTED',
  'MODEL_UNKNOWN',
  'MODEL_QUOTA_EXHAUSTED',
  'MODEL_WINDOW_EXHAUSTED',
  'MODEL_OVERLOADED',
  'MODEL_RATE_LIMITED',
  'MODEL_CONTEXT_OVERFLOW',
  'MODEL_REQUEST_REJECTED',
  'MODEL_UNREACHABLE',
  'MODEL_PRICE_UNKNOWN',
  'CASSETTE_INVALID',
  'CASSETTE_DEPARTED',
  'CASSETTE_EXHAUSTED',
]);

/** Most repetitions of one call after answers that broke off, over all models of its slot. */
const maxRepeats = 6;

/** The reservations that one call may hold besides its own: one for each repetition. */
export function repeatsOf(callId: string): string[] {
  return Array.from({ length: maxRepeats }, (_, index) => `${callId}/repeat-${index + 1}`);
}

export interface Ask {
  readonly slot: ModelSlot;
  readonly model: Model;
  readonly callId: string;
  readonly request: Omit<ModelRequest, 'callId' | 'maxOutputTokens'>;
  readonly inputTokens: number;
  readonly maxOutputTokens: number;
  readonly repeated: boolean;
  /** Renames the answer's tool calls, so that their ids are unique in the run. */
  readonly named: (parts: readonly AssistantPart[]) => AssistantPart[];
}

/**
 * One model call with its two events: reserved before, recorded before it is sent, settled after its answer is
 * stored. A failure is recorded, settled and thrown.
 * @throws BerthError `LIMIT_*` when the reservation is refused, `MODEL_*`, or the signal's reason
 */
export async function askModel(session: Session, ask: Ask): Promise<ModelAnswer> {
  const { ctx, step } = session;
  const { model, callId, maxOutputTokens } = ask;
  const reservedUsd = upperBoundUsd({
    estimatedInputTokens: ask.inputTokens,
    maxOutputTokens,
    price: model.price,
  });
  if (reservedUsd === null) {
    throw new BerthError(
      'MODEL_PRICE_UNKNOWN',
      `The price of ${model.id} is not known, so no limit could hold.`,
    );
  }
  const reservedTokens = ask.inputTokens + maxOutputTokens;
  await ctx.limits.reserve({ callId, costUsd: reservedUsd, tokens: reservedTokens, model: model.id });
  await session.append({
    type: 'model.requested',
    data: {
      callId,
      step,
      slot: ask.slot,
      model: model.id,
      reservedUsd,
      reservedTokens,
      repeated: ask.repeated,
    },
  });
  const startedMs = ctx.clock.monotonicMs();
  /** Reservations of this call besides the first. */
  const more: string[] = [];
  const mayRepeat = async (): Promise<boolean> => {
    const another = repeatsOf(callId)[more.length];
    if (another === undefined) return false;
    try {
      await ctx.limits.reserve({
        callId: another,
        costUsd: reservedUsd,
        tokens: reservedTokens,
        model: model.id,
      });
    } catch (error) {
      if (error instanceof BerthError && error.code.startsWith('LIMIT_')) return false;
      throw error;
    }
    more.push(another);
    return true;
  };
  const giveBack = async (): Promise<void> => {
    for (const another of more) await ctx.limits.settle({ callId: another, costUsd: 0, tokens: 0 });
  };
  let answer: ModelAnswer;
  try {
    const call = model.call(
      { ...ask.request, callId, maxOutputTokens },
      {
        signal: ctx.signal,
        mayRepeat,
        onFrame: (frame) => showFrame(session, ask, frame),
        onRetry: (retry) => {
          // Told, not awaited: a retry must not wait for the log. A failing append shows at the next one.
          const { code, waitMs, attempt } = retry;
          ctx.events
            .append({ type: 'model.retried', data: { callId, code, waitMs, attempt, model: model.id } })
            .catch(() => undefined);
        },
      },
    );
    answer = await orAborted(call, ctx.signal);
  } catch (error) {
    // An interrupted call stays open in the log: whoever goes on forfeits it.
    ctx.signal.throwIfAborted();
    const failure = asBerthError(error);
    await session.append({
      type: 'model.failed',
      data: { callId, step, model: model.id, code: failure.code, sentence: failure.message },
    });
    const lost = lostUsageOf(failure);
    if (lost !== null) {
      const lostUsd = costUsd(lost, model.price) ?? reservedUsd;
      const lostTokens = lost.inputTokens + lost.outputTokens;
      // What broke off was estimated: an answer may have been longer than what was seen of it.
      await ctx.limits.settle({
        callId,
        costUsd: Math.max(lostUsd, reservedUsd),
        tokens: Math.max(lostTokens, reservedTokens),
      });
    } else if (unbilled.has(failure.code)) await ctx.limits.settle({ callId, costUsd: 0, tokens: 0 });
    else await ctx.limits.forfeit(callId);
    await giveBack();
    throw failure;
  }
  const { usage, finish } = answer;
  const parts = ask.named(answer.parts);
  const answering = answer.answeredBy ?? model;
  const cost = costUsd(usage, answering.price) ?? reservedUsd;
  const durationMs = Math.round(ctx.clock.monotonicMs() - startedMs);
  await session.append({
    type: 'model.answered',
    data: { callId, step, model: answering.id, parts, finish, usage, costUsd: cost, durationMs },
  });
  await ctx.limits.settle({
    callId,
    costUsd: cost,
    tokens: usage.inputTokens + usage.outputTokens,
    answer: { model: answering.id, usage },
  });
  await giveBack();
  return { ...answer, parts };
}

/** What attempts that broke off within a failed call have cost, as the model tells it; null: nothing. */
function lostUsageOf(failure: BerthError): ModelUsage | null {
  const usage = failure.details['lostUsage'];
  return usage === undefined ? null : (usage as ModelUsage);
}

function showFrame(
  session: Session,
  ask: Ask,
  frame: {
    readonly kind: 'text' | 'reasoning' | 'tool-input';
    readonly toolName?: string;
    readonly text: string;
  },
): void {
  if (ask.slot === 'condense') return;
  const { callId } = ask;
  const { kind, text } = frame;
  if (kind === 'tool-input') session.ctx.events.live({ kind, callId, toolName: frame.toolName ?? '', text });
  else session.ctx.events.live({ kind, callId, text });
}

/**
 * Tool calls get ids of ours, `t<answer>-<place>`: providers repeat theirs (`call_0`), and an id names an exec
 * that must run once.
 */
export function namedCalls(answer: number): (parts: readonly AssistantPart[]) => AssistantPart[] {
  return (parts) => {
    let place = 0;
    return parts.map((part) => (part.type === 'tool-call' ? { ...part, id: `t${answer}-${++place}` } : part));
  };
}
