import { BerthError } from '../domain/errors/index.ts';
import type { ModelAnswer, ModelRequest, ModelUsage } from '../domain/ports/model.ts';
import { estimateTokens } from './estimate.ts';

/** Few tokens are shorter than two characters; what was not shown to us cannot be counted at all. */
const charactersPerToken = 2;

/** What an answer that broke off has cost in tokens: providers bill it, but only its end would have told. */
export function lostUsage(request: ModelRequest, receivedCharacters: number): ModelUsage {
  return {
    inputTokens: estimateTokens(request),
    cachedInputTokens: 0,
    cacheWriteTokens: 0,
    outputTokens: Math.min(request.maxOutputTokens, Math.ceil(receivedCharacters / charactersPerToken)),
    reasoningTokens: 0,
  };
}

/**
 * Keeps the account of answers that were lost during one call. They are paid for, so they count: in the usage of
 * the answer that came in the end, or in `details.lostUsage` of the error. A call is repeated once at most after
 * its answer had begun, so it never costs more than twice its upper bound.
 */
export class LostAnswers {
  #usages: ModelUsage[] = [];
  /** Lost answers for whose repetition there is room. */
  #granted = 0;

  /** Passes an attempt on and notes what it lost. */
  async watch(attempt: Promise<ModelAnswer>): Promise<ModelAnswer> {
    try {
      return await attempt;
    } catch (error) {
      const usage = error instanceof BerthError ? error.details['lostUsage'] : undefined;
      if (usage !== undefined) this.#usages.push(usage as ModelUsage);
      throw error;
    }
  }

  /** @param ask whether the limits have room for another answer that is paid for; see `Model.call` */
  async mayRepeat(ask: (() => Promise<boolean>) | undefined): Promise<boolean> {
    const lost = this.#usages.length;
    if (lost === this.#granted) return true;
    if (lost >= 2 || (await ask?.()) === false) return false;
    this.#granted = lost;
    return true;
  }

  addTo(answer: ModelAnswer): ModelAnswer {
    return this.#usages.length === 0 ? answer : { ...answer, usage: sum([answer.usage, ...this.#usages]) };
  }

  tell(error: unknown): unknown {
    if (!(error instanceof BerthError) || this.#usages.length === 0) return error;
    const details = { ...error.details, lostUsage: sum(this.#usages) };
    return new BerthError(error.code, error.message, { next: error.next, details });
  }
}

function sum(usages: readonly ModelUsage[]): ModelUsage {
  const total = (field: keyof ModelUsage): number => usages.reduce((all, usage) => all + usage[field], 0);
  return {
    inputTokens: total('inputTokens'),
    cachedInputTokens: total('cachedInputTokens'),
    cacheWriteTokens: total('cacheWriteTokens'),
    outputTokens: total('outputTokens'),
    reasoningTokens: total('reasoningTokens'),
  };
}
