import type { ModelPrice, ModelUsage } from '../domain/ports/model.ts';
import table from './generated/prices.json' with { type: 'json' };

/** What is known of a model before it is called. */
export interface ModelFacts {
  readonly price: ModelPrice | 'flat' | null;
  readonly contextTokens: number;
  readonly maxOutputTokens: number;
}

/** Configured facts by `provider/model`; each field set replaces the table's. */
export type ModelFactOverrides = Readonly<Record<string, Partial<ModelFacts>>>;

type Row = { readonly price: ModelPrice; readonly contextTokens: number; readonly maxOutputTokens: number };
const rows = new Map<string, Row>(Object.entries(table.models));

/** For models nobody told us about: what nearly every present model can do, so that no call fails for it. */
const unknownContextTokens = 128_000;
const unknownMaxOutputTokens = 16_384;

/**
 * Price and sizes of `provider/model`, from the table (`generated/prices.json`) and the overrides. A dated name
 * (`claude-x-20251001`, `gpt-x-2026-01-31`) that the table lacks is looked up without its date.
 */
export function factsOf(id: string, overrides: ModelFactOverrides = {}): ModelFacts {
  const row = rows.get(id) ?? rows.get(id.replace(/-\d{4}-?\d{2}-?\d{2}$/, ''));
  const told = Object.hasOwn(overrides, id) ? overrides[id] : undefined;
  return {
    price: told?.price ?? row?.price ?? null,
    contextTokens: told?.contextTokens ?? (row?.contextTokens || unknownContextTokens),
    maxOutputTokens: told?.maxOutputTokens ?? (row?.maxOutputTokens || unknownMaxOutputTokens),
  };
}

/** The price of `provider/model`; null when it is not known. */
export function priceOf(id: string, overrides: ModelFactOverrides = {}): ModelPrice | 'flat' | null {
  return factsOf(id, overrides).price;
}

const perMillion = 1_000_000;

/** What a call cost in US dollars. Flat: nothing per token. Unknown price: null, never 0. */
export function costUsd(usage: ModelUsage, price: ModelPrice | 'flat' | null): number | null {
  if (price === null) return null;
  if (price === 'flat') return 0;
  const plain = Math.max(0, usage.inputTokens - usage.cachedInputTokens - usage.cacheWriteTokens);
  const total =
    plain * price.input +
    usage.cachedInputTokens * price.cacheRead +
    usage.cacheWriteTokens * price.cacheWrite +
    usage.outputTokens * price.output;
  return total / perMillion;
}

/**
 * The most a call can cost in US dollars: all input at the dearest input price (a cache write may cost more than
 * plain input), all output that is allowed. Unknown price: null, and the call must be refused.
 */
export function upperBoundUsd(call: {
  readonly estimatedInputTokens: number;
  readonly maxOutputTokens: number;
  readonly price: ModelPrice | 'flat' | null;
}): number | null {
  const { price } = call;
  if (price === null) return null;
  if (price === 'flat') return 0;
  const dearest = Math.max(price.input, price.cacheRead, price.cacheWrite);
  return (call.estimatedInputTokens * dearest + call.maxOutputTokens * price.output) / perMillion;
}

/**
 * The output maximum of a call after all its limits, in tokens: what was asked, what the model can, what is left
 * of the window after the input, and what `leftUsd` and `leftTokens` still pay for. 0: the call cannot be made.
 */
export function clampOutput(call: {
  readonly askedTokens: number;
  readonly modelMaxTokens: number;
  readonly contextTokens: number;
  readonly estimatedInputTokens: number;
  readonly price: ModelPrice | 'flat' | null;
  /** Money left for this run; no limit when left out. */
  readonly leftUsd?: number;
  /** Tokens left for this run, input and output together; no limit when left out. */
  readonly leftTokens?: number;
}): number {
  const { price, leftUsd, leftTokens, estimatedInputTokens } = call;
  let most = Math.min(call.askedTokens, call.modelMaxTokens, call.contextTokens - estimatedInputTokens);
  if (leftTokens !== undefined) most = Math.min(most, leftTokens - estimatedInputTokens);
  if (leftUsd !== undefined && price !== 'flat') {
    const inputUsd = upperBoundUsd({ estimatedInputTokens, maxOutputTokens: 0, price });
    if (inputUsd === null || price === null) return 0;
    const restUsd = leftUsd - inputUsd;
    if (restUsd < 0) return 0;
    if (price.output > 0) most = Math.min(most, (restUsd * perMillion) / price.output);
  }
  // The sliver makes up for the division: what fits exactly must not lose a token to rounding.
  return Math.max(0, Math.floor(most + 1e-6));
}
