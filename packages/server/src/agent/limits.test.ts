import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import type { RunLimits } from '../domain/limits.ts';
import { BerthError } from '../domain/errors/index.ts';
import type { Model } from '../domain/ports/model.ts';
import { harnesses } from '../testing/open-harness.ts';
import { ScriptedModel, calls, finishes, inTurn } from '../testing/scripted-model.ts';
import { exhausted, lastTurnDue, outputMaximum } from './allowance.ts';
import { upperBoundUsd } from '../models/index.ts';

const harness = harnesses();
const price = { input: 3, output: 15, cacheRead: 0.3, cacheWrite: 3.75 };
/** Uses all it may, and never finishes. */
function greedy(): ScriptedModel {
  let call = 0;
  return new ScriptedModel(() => calls(['bash', { command: `echo ${++call}` }]), {
    price,
    usage: (request) => ({ input: 2000, output: request.maxOutputTokens }),
  });
}

test.each<[Partial<RunLimits>, string]>([
  [{ costUsd: 0.3 }, 'LIMIT_COST'],
  [{ tokens: 60_000 }, 'LIMIT_TOKENS'],
  [{ steps: 4 }, 'LIMIT_STEPS'],
  [{ costUsd: 0.0001 }, 'LIMIT_COST'],
])(
  'under %j the step ends with %s after one announced last turn, and never spends more',
  async (limits, code) => {
    const run = harness({ limits });
    expect(await run.live({ model: greedy() })).toMatchObject({ result: 'limit', code });
    expect(run.limits.peakUsd).toBeLessThanOrEqual(run.limits.caps.costUsd + 1e-9);
    expect(run.limits.peakTokens).toBeLessThanOrEqual(run.limits.caps.tokens);
    expect(run.limits.calls.size).toBeLessThanOrEqual(run.limits.caps.steps);
    const announced = run.events('agent.told').findIndex((event) => event.data.lastTurn !== undefined);
    if (limits.costUsd === 0.0001) expect(run.events('model.requested')).toEqual([]);
    else {
      const seq = run.events('agent.told')[announced]!.seq;
      expect(run.events('model.answered').filter((event) => event.seq > seq)).toHaveLength(1);
      expect(run.events('model.answered').length).toBeGreaterThan(1);
    }
    expect(run.events('agent.finished')).toHaveLength(1);
  },
);

test('50 and 80 percent are told once each', async () => {
  const run = harness({ limits: { steps: 10, costUsd: 100, tokens: 10_000_000 } });
  await run.live({ model: greedy() });
  const warned = run.events('limit.warned').filter((event) => event.data.limit === 'steps');
  expect(warned.map((event) => [event.data.percent, event.data.used])).toEqual([
    [50, 5],
    [80, 8],
  ]);
});

test('a finish in the last turn is a finish', async () => {
  const run = harness({ limits: { steps: 1 } });
  expect(await run.live({ model: new ScriptedModel(inTurn([finishes])) })).toMatchObject({ result: 'done' });
});

test('minutes end the step, and a run resumed with a higher limit goes on in the same conversation', async () => {
  const run = harness({ limits: { minutes: 10 } });
  run.limits.minutes = 9.8;
  const model = new ScriptedModel(
    inTurn([calls(['bash', { command: 'true' }]), calls(['bash', { command: 'true' }]), finishes]),
  );
  expect(await run.live({ model })).toMatchObject({ result: 'limit', code: 'LIMIT_MINUTES' });
  const ctx = run.context();
  await ctx.events.append(
    { type: 'run.ended', data: { outcome: 'needs_human', code: 'LIMIT_MINUTES', sentence: '', next: null } },
    { type: 'run.resumed', data: { by: 'ada', limits: { minutes: 60 } } },
  );
  run.limits.caps = { ...run.limits.caps, minutes: 60 };
  expect(await run.live({ model })).toMatchObject({ result: 'done' });
  expect(model.requests).toHaveLength(3);
  expect(run.events('agent.told').at(-1)!.data.text).toContain('The run goes on');
});

test('property: what a call may cost at most fits what is left, and an ordinary call leaves room for the last one', () => {
  const amount = fc.double({ min: 0, max: 20, noNaN: true });
  fc.assert(
    fc.property(
      fc.record({
        cap: fc.double({ min: 0.001, max: 20, noNaN: true }),
        used: amount,
        input: fc.nat(150_000),
      }),
      fc.record({
        tokens: fc.integer({ min: 1, max: 2_000_000 }),
        usedTokens: fc.nat(2_000_000),
        steps: fc.nat(120),
      }),
      ({ cap, used, input }, { tokens, usedTokens, steps }) => {
        const standing = {
          caps: { costUsd: cap, tokens, steps: 120, minutes: 30, rounds: 2 },
          used: { costUsd: used, tokens: usedTokens, steps, minutes: 0, rounds: 0 },
          reservedUsd: 0,
        };
        const call = {
          model: { price, contextTokens: 200_000, maxOutputTokens: 32_000 },
          inputTokens: input,
        };
        if (exhausted(standing, call) !== null) return;
        const isLast = lastTurnDue(standing, call) !== null;
        const most = outputMaximum(standing, call, isLast);
        expect(most).toBeGreaterThanOrEqual(256);
        const bound = upperBoundUsd({ estimatedInputTokens: input, maxOutputTokens: most, price })!;
        expect(bound).toBeLessThanOrEqual(cap - used + 1e-9);
        expect(input + most).toBeLessThanOrEqual(tokens - usedTokens);
      },
    ),
    { numRuns: 3000 },
  );
});

/** An answer of it breaks off once; it is asked for again if the limits have room for a second one. */
function breaksOff(): Model {
  const done = new ScriptedModel(inTurn([finishes]), { price, usage: () => ({ input: 2000, output: 500 }) });
  const lostUsage = {
    inputTokens: 3000,
    cachedInputTokens: 0,
    cacheWriteTokens: 0,
    outputTokens: 900,
    reasoningTokens: 0,
  };
  return {
    id: 'scripted/breaks-off',
    contextTokens: 200_000,
    maxOutputTokens: 32_000,
    price,
    simulated: true,
    call: async (request, options) => {
      if ((await options.mayRepeat?.()) === false)
        throw new BerthError('MODEL_OVERLOADED', undefined, { details: { lostUsage } });
      const answer = await done.call(request, options);
      const { usage } = answer;
      const inputTokens = usage.inputTokens + lostUsage.inputTokens;
      return {
        ...answer,
        usage: { ...usage, inputTokens, outputTokens: usage.outputTokens + lostUsage.outputTokens },
      };
    },
  };
}

test('an answer that broke off is asked for again only where a second reservation fits, and both are paid', async () => {
  const roomy = harness({ limits: { costUsd: 2 } });
  expect(await roomy.live({ model: breaksOff() })).toMatchObject({ result: 'done' });
  const [reserved] = roomy.events('model.requested').map((event) => event.data.reservedUsd);
  expect(roomy.limits.peakUsd).toBeGreaterThanOrEqual(2 * reserved!);
  const { used, reservedUsd } = await roomy.limits.remaining();
  expect(reservedUsd).toBe(0);
  expect(used.costUsd).toBeCloseTo((5000 * price.input + 1400 * price.output) / 1e6, 9);

  const narrow = harness({ limits: { costUsd: 1.5 * reserved! } });
  await expect(narrow.live({ model: breaksOff() })).rejects.toMatchObject({ code: 'MODEL_OVERLOADED' });
  const after = await narrow.limits.remaining();
  expect(after.used.costUsd).toBeGreaterThan(0);
  expect(after.used.costUsd).toBeLessThanOrEqual(1.5 * reserved!);
  expect(narrow.limits.peakUsd).toBeLessThanOrEqual(1.5 * reserved!);
});
