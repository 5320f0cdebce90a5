import { expect, test } from 'vitest';
import { BerthError } from '../../domain/errors/index.ts';
import type { Model } from '../../domain/ports/model.ts';
import type { RunContext } from '../../domain/ports/run-context.ts';
import type { ModelSlots } from '../../models/index.ts';
import { MemoryBlobs, MemoryLimits } from '../../testing/agent-harness.ts';
import { memoryLog } from '../../testing/memory-log.ts';
import { ScriptedModel, text } from '../../testing/scripted-model.ts';
import { testClock } from '../../testing/test-clock.ts';
import { judgeModel } from './judge.ts';

function worldOf(model: Model, maxUsd = 1) {
  const log = memoryLog();
  const limits = new MemoryLimits({});
  const slots: ModelSlots = { model: () => model, ids: () => [model.id], simulated: true };
  const unused = (): never => {
    throw new Error('the judge has no hands');
  };
  const workbench = {
    repositoryPath: '/workspace/repo',
    sandbox: unused,
    command: unused,
    setEgress: unused,
    duringAgent: unused,
    checkpointSoon: unused,
    checkpoint: unused,
    release: unused,
  };
  const ask = async (signal: AbortSignal = new AbortController().signal): Promise<string> => {
    const blobs = new MemoryBlobs();
    const ctx: RunContext = {
      runId: 'r-test',
      clock: testClock,
      signal,
      events: log,
      log,
      blobs,
      limits,
      workbench,
    };
    const request = { callId: '3:judge/verdict', step: '3:judge', system: 'Judge.', text: 'diff' };
    return judgeModel(slots, () => maxUsd).ask(ctx, { ...request, maxOutputTokens: 100 });
  };
  return { log, limits, ask };
}

test('each time the judge is asked is reserved and paid for, also when its answers were lost', async () => {
  let asked = 0;
  const model = new ScriptedModel(() => {
    asked += 1;
    return asked < 3 ? { hangs: true } : text('{"verdict":"ok","reasons":[]}');
  });
  const { limits, ask } = worldOf(model);
  for (let crash = 0; crash < 2; crash += 1) {
    const dying = new AbortController();
    const dead = ask(dying.signal);
    await expect.poll(() => asked).toBe(crash + 1);
    dying.abort(new Error('killed'));
    await expect(dead).rejects.toThrow('killed');
  }
  expect(await ask()).toContain('"ok"');
  expect([...limits.calls.values()].map((call) => call.settled)).toEqual([true, true, true]);
  expect(await ask()).toContain('"ok"');
  expect(asked).toBe(3);
});

test('a judge that cannot be asked leaves nothing open in the log or reserved', async () => {
  const model = new ScriptedModel(() => ({ throws: new BerthError('MODEL_UNAVAILABLE') }));
  const { log, limits, ask } = worldOf(model);
  await expect(ask()).rejects.toMatchObject({ code: 'MODEL_UNAVAILABLE' });
  expect(log.state().open).toEqual([]);
  expect(log.entries.at(-1)?.type).toBe('model.failed');
  expect((await limits.remaining()).reservedUsd).toBe(0);
});

test('a judge that may not cost any more is not asked', async () => {
  let asked = 0;
  const model = new ScriptedModel(() => {
    asked += 1;
    return text('{"verdict":"ok","reasons":[]}');
  });
  const { log, ask } = worldOf(model, 0.000_000_1);
  await expect(ask()).rejects.toMatchObject({ code: 'JUDGE_BUDGET' });
  expect(asked).toBe(0);
  expect(log.entries).toEqual([]);
});
