import type { JudgeModel } from '../../blueprints/index.ts';
import { asBerthError, BerthError } from '../../domain/errors/index.ts';
import type { ModelRequest } from '../../domain/ports/model.ts';
import type { RunContext } from '../../domain/ports/run-context.ts';
import { costUsd, estimateTokens, type ModelSlots, upperBoundUsd } from '../../models/index.ts';

/**
 * One question to the `judge` slot: reserved, recorded and settled like every model call, and asked once.
 * @param maxUsd the most that all questions of a run may cost
 */
export function judgeModel(models: ModelSlots, maxUsd: () => number): JudgeModel {
  return {
    async ask(ctx, { callId, step, system, text, maxOutputTokens }) {
      const answered = (await ctx.log.events({ types: ['model.answered'] })).find(
        (entry) => entry.type === 'model.answered' && entry.data.callId === callId,
      );
      if (answered?.type === 'model.answered') return textOf(answered.data.parts);
      // Every time it was asked has a reservation of its own: an answer that was lost may have been billed.
      const asked = (await ctx.log.events({ types: ['model.requested'] })).filter(
        (entry) => entry.type === 'model.requested' && entry.data.callId === callId,
      ).length;
      const repeated = asked > 0;
      for (let time = 0; time < asked; time += 1) await ctx.limits.forfeit(reservationOf(callId, time));
      const model = models.model('judge');
      const request: ModelRequest = {
        callId,
        purpose: 'judge',
        system,
        messages: [{ role: 'user', parts: [{ type: 'text', text }] }],
        tools: [],
        maxOutputTokens,
      };
      const inputTokens = estimateTokens(request);
      const reservedUsd = upperBoundUsd({
        estimatedInputTokens: inputTokens,
        maxOutputTokens,
        price: model.price,
      });
      if (reservedUsd === null) throw new BerthError('MODEL_PRICE_UNKNOWN');
      // What was asked and not answered counts as if it had been.
      if ((await spentUsd(ctx)) + reservedUsd > maxUsd()) throw new BerthError('JUDGE_BUDGET');
      const reservedTokens = inputTokens + maxOutputTokens;
      const reservation = reservationOf(callId, asked);
      await ctx.limits.reserve({
        callId: reservation,
        costUsd: reservedUsd,
        tokens: reservedTokens,
        model: model.id,
      });
      await ctx.events.append({
        type: 'model.requested',
        data: { callId, step, slot: 'judge', model: model.id, reservedUsd, reservedTokens, repeated },
      });
      const startedMs = ctx.clock.monotonicMs();
      const answer = await model
        .call(request, {
          signal: ctx.signal,
          // One answer is reserved; a second one, after the first broke off, is not worth it.
          mayRepeat: () => Promise.resolve(false),
          onFrame: (frame) => ctx.events.live({ kind: 'text', callId, text: frame.text }),
        })
        .catch(async (error: unknown) => {
          ctx.signal.throwIfAborted();
          const { code, message } = asBerthError(error);
          await ctx.events.append({
            type: 'model.failed',
            data: { callId, step, model: model.id, code, sentence: message },
          });
          await ctx.limits.forfeit(reservation);
          throw error;
        });
      const cost = costUsd(answer.usage, answer.answeredBy?.price ?? model.price) ?? reservedUsd;
      const durationMs = Math.round(ctx.clock.monotonicMs() - startedMs);
      const { parts, finish, usage } = answer;
      await ctx.events.append({
        type: 'model.answered',
        data: { callId, step, model: model.id, parts: [...parts], finish, usage, costUsd: cost, durationMs },
      });
      await ctx.limits.settle({
        callId: reservation,
        costUsd: cost,
        tokens: usage.inputTokens + usage.outputTokens,
        answer: { model: (answer.answeredBy ?? model).id, usage },
      });
      return textOf(answer.parts);
    },
  };
}

function reservationOf(callId: string, time: number): string {
  return time === 0 ? callId : `${callId}+${time}`;
}

function textOf(parts: readonly { readonly type: string; readonly text?: string }[]): string {
  return parts.map((part) => (part.type === 'text' ? (part.text ?? '') : '')).join('');
}

/** What the judge of a run cost so far, at most. */
async function spentUsd(ctx: RunContext): Promise<number> {
  const entries = await ctx.log.events({ types: ['model.requested', 'model.answered'] });
  let spent = 0;
  const open = new Map<string, number>();
  for (const entry of entries) {
    if (entry.type === 'model.requested' && entry.data.slot === 'judge') {
      spent += entry.data.reservedUsd;
      open.set(entry.data.callId, entry.data.reservedUsd);
    } else if (entry.type === 'model.answered') {
      const reserved = open.get(entry.data.callId);
      if (reserved === undefined) continue;
      spent += entry.data.costUsd - reserved;
      open.delete(entry.data.callId);
    }
  }
  return spent;
}
