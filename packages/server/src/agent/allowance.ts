import type { ErrorCode } from '../domain/errors/index.ts';
import type { LimitName, RunLimits, RunUse } from '../domain/limits.ts';
import type { Model } from '../domain/ports/model.ts';
import { clampOutput, upperBoundUsd } from '../models/index.ts';

/** What `LimitsGate.remaining` answers. */
export interface Standing {
  readonly caps: RunLimits;
  readonly used: RunUse;
  readonly reservedUsd: number;
  /** What the narrowest budget leaves to all runs it is for; null or left out: there is none. */
  readonly budgets?: { readonly leftUsd: number | null; readonly leftTokens: number | null };
}

/** The next model call, before its output is clamped. */
export interface NextCall {
  readonly model: Pick<Model, 'price' | 'contextTokens' | 'maxOutputTokens'>;
  readonly inputTokens: number;
}

type GuardedLimit = Exclude<LimitName, 'rounds'>;
export const guardedLimits: readonly GuardedLimit[] = ['costUsd', 'tokens', 'steps', 'minutes'];

const limitCodes: Readonly<Record<GuardedLimit, ErrorCode>> = {
  costUsd: 'LIMIT_COST',
  tokens: 'LIMIT_TOKENS',
  steps: 'LIMIT_STEPS',
  minutes: 'LIMIT_MINUTES',
};

/** What one call may write at most: enough for a long file, small enough that a limit is not reserved away. */
const askedOutputTokens = 16_384;
/** An ordinary answer, and the answer of the wrap-up turn: a command or two and a summary. */
const ordinaryOutputTokens = 4096;
const wrapUpOutputTokens = 2048;
/** With less room than this an answer cannot even call finish. */
const leastOutputTokens = 256;
/** The conversation grows by the ordinary call before the wrap-up turn reads it. */
const growth = 1.1;
const wrapUpMinutesShare = 0.95;

/** The code of a limit that binds: that of the budget where it leaves less than the run's own limit. */
export function codeOfLimit(limit: GuardedLimit, standing: Standing): ErrorCode {
  const { leftUsd: usd = null, leftTokens: tokens = null } = standing.budgets ?? {};
  if (limit === 'costUsd' && usd !== null && usd < ownLeftUsd(standing)) return 'LIMIT_BUDGET_COST';
  if (limit === 'tokens' && tokens !== null && tokens < ownLeftTokens(standing)) return 'LIMIT_BUDGET_TOKENS';
  return limitCodes[limit];
}

function ownLeftUsd(standing: Standing): number {
  return standing.caps.costUsd - standing.used.costUsd - standing.reservedUsd;
}

function ownLeftTokens(standing: Standing): number {
  return standing.caps.tokens - standing.used.tokens;
}

function leftUsd(standing: Standing): number {
  return Math.min(ownLeftUsd(standing), standing.budgets?.leftUsd ?? Infinity);
}

function leftTokens(standing: Standing): number {
  return Math.min(ownLeftTokens(standing), standing.budgets?.leftTokens ?? Infinity);
}

function boundUsd(call: NextCall, inputTokens: number, maxOutputTokens: number): number {
  const bound = upperBoundUsd({
    estimatedInputTokens: Math.ceil(inputTokens),
    maxOutputTokens,
    price: call.model.price,
  });
  return bound ?? Infinity;
}

/** The limit that allows no further call at all; null: another call is possible. */
export function exhausted(standing: Standing, call: NextCall): GuardedLimit | null {
  const { caps, used } = standing;
  if (used.steps >= caps.steps) return 'steps';
  if (used.minutes >= caps.minutes) return 'minutes';
  if (leftTokens(standing) < call.inputTokens + leastOutputTokens) return 'tokens';
  if (call.model.price === null) return null;
  return leftUsd(standing) < boundUsd(call, call.inputTokens, leastOutputTokens) ? 'costUsd' : null;
}

/** The limit for which the next call has to be the last one; null: there is room for more. */
export function lastTurnDue(standing: Standing, call: NextCall): GuardedLimit | null {
  const { caps, used } = standing;
  if (caps.steps - used.steps <= 1) return 'steps';
  if (used.minutes >= caps.minutes * wrapUpMinutesShare) return 'minutes';
  const later = call.inputTokens * growth + wrapUpOutputTokens;
  if (leftTokens(standing) < call.inputTokens + ordinaryOutputTokens + later) return 'tokens';
  if (call.model.price === null) return null;
  const both =
    boundUsd(call, call.inputTokens, ordinaryOutputTokens) +
    boundUsd(call, call.inputTokens * growth, wrapUpOutputTokens);
  return leftUsd(standing) < both ? 'costUsd' : null;
}

/** The output maximum of the next call. An ordinary one leaves room for the wrap-up turn. */
export function outputMaximum(standing: Standing, call: NextCall, isLast: boolean): number {
  const keptTokens = isLast ? 0 : Math.ceil(call.inputTokens * growth) + wrapUpOutputTokens;
  const keptUsd = isLast ? 0 : boundUsd(call, call.inputTokens * growth, wrapUpOutputTokens);
  return clampOutput({
    askedTokens: askedOutputTokens,
    modelMaxTokens: call.model.maxOutputTokens,
    contextTokens: call.model.contextTokens,
    estimatedInputTokens: call.inputTokens,
    price: call.model.price,
    leftTokens: leftTokens(standing) - keptTokens,
    ...(call.model.price === 'flat' || call.model.price === null
      ? {}
      : { leftUsd: leftUsd(standing) - keptUsd }),
  });
}

export interface Warning {
  readonly limit: GuardedLimit;
  readonly percent: 50 | 80;
  readonly used: number;
  readonly cap: number;
}

/** The warnings to give now: of each limit the highest mark that was passed and not told yet. */
export function warningsDue(standing: Standing, warned: readonly string[]): readonly Warning[] {
  return guardedLimits.flatMap((limit) => {
    const used = standing.used[limit];
    const cap = standing.caps[limit];
    const percent = used >= cap * 0.8 ? 80 : used >= cap * 0.5 ? 50 : null;
    return percent === null || warned.includes(`${limit}:${percent}:${cap}`)
      ? []
      : [{ limit, percent, used, cap }];
  });
}

/** What remains, in words for the model. */
export function remainsText(standing: Standing): string {
  const { caps, used } = standing;
  const calls = Math.max(0, caps.steps - used.steps);
  const tokens = Math.max(0, leftTokens(standing));
  const minutes = Math.max(0, caps.minutes - used.minutes);
  const usd = Math.max(0, leftUsd(standing));
  return `${calls} of ${caps.steps} model calls, ${tokens} of ${caps.tokens} tokens, $${usd.toFixed(2)} of $${caps.costUsd.toFixed(2)}, ${minutes.toFixed(0)} of ${caps.minutes} minutes`;
}
