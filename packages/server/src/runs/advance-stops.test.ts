import { expect, test } from 'vitest';
import { BerthError, type ErrorCode } from '../domain/errors/index.ts';
import { defaultRunLimits } from '../domain/limits.ts';
import type { RunContext } from '../domain/ports/run-context.ts';
import { MemoryBlobs, MemoryLimits } from '../testing/agent-harness.ts';
import { memoryLog } from '../testing/memory-log.ts';
import { testClock } from '../testing/test-clock.ts';
import { advance, type AdvanceResult } from './advance.ts';

/** Advances a run whose one step fails with `code`, or is aborted with it. */
async function advancedTo(code: ErrorCode, how: 'fails' | 'is aborted') {
  const log = memoryLog();
  await log.append({
    type: 'run.planned',
    data: {
      base: { ref: 'main', commit: 'c'.repeat(40) },
      blueprint: {
        version: 1,
        name: 'test',
        setup: [],
        checks: [],
        protectedPaths: [],
        steps: [{ step: 'setup' }],
        limits: {},
      },
      source: { kind: 'detected', ecosystems: [] },
      limits: defaultRunLimits,
      models: {},
      simulated: false,
    },
  });
  const control = new AbortController();
  const released: string[] = [];
  const unused = (): never => {
    throw new Error('not asked for');
  };
  const context: RunContext = {
    runId: 'r-test',
    clock: testClock,
    signal: control.signal,
    events: log,
    log,
    blobs: new MemoryBlobs(),
    limits: new MemoryLimits({}),
    workbench: {
      repositoryPath: '/workspace/repo',
      sandbox: unused,
      command: unused,
      setEgress: unused,
      checkpointSoon: unused,
      checkpoint: unused,
      release: (purpose) => {
        released.push(purpose);
        return Promise.resolve();
      },
    },
  };
  const result: AdvanceResult = await advance({
    context,
    plan: unused,
    decide: (state) => {
      const step = { step: 'setup' } as const;
      const known = state.steps.find((one) => one.key === '0:setup');
      if (known === undefined || known.state === 'running')
        return { kind: 'step', key: '0:setup', index: 0, step, round: 0, repair: false };
      const { code: ended, sentence } = known;
      return { kind: 'end', outcome: 'failed', code: ended as ErrorCode, sentence, next: null };
    },
    perform: async () => {
      await log.append({ type: 'step.started', data: { key: '0:setup', kind: 'setup', round: 0 } });
      if (how === 'is aborted') control.abort(new BerthError(code));
      throw new BerthError(code);
    },
  });
  return { result, released, ended: log.state().ended };
}

test.each<ErrorCode>(['DATABASE_UNAVAILABLE', 'OWNERSHIP_LOST'])(
  'a step that meets %s leaves run and sandboxes as they are, for later',
  async (code) => {
    const { result, released, ended } = await advancedTo(code, 'fails');
    expect(result).toEqual({ kind: 'stopped', code });
    expect([released, ended]).toEqual([[], null]);
  },
);

test.each<ErrorCode>(['WORKER_STOPPING', 'RUN_PAUSED', 'OWNERSHIP_LOST'])(
  'an abort with %s leaves the run to whoever owns it next',
  async (code) => {
    const { result, released, ended } = await advancedTo(code, 'is aborted');
    expect(result).toEqual({ kind: 'stopped', code });
    expect([released, ended]).toEqual([[], null]);
  },
);

test('an abort that the next owner would meet again ends the run with its code', async () => {
  const { result, released, ended } = await advancedTo('EVENT_INVALID', 'is aborted');
  expect(result).toEqual({ kind: 'ended' });
  expect(ended).toMatchObject({ outcome: 'failed', code: 'EVENT_INVALID' });
  expect(released).toEqual(['work', 'verify', 'baseline']);
});

test('any other failure is how the step ended', async () => {
  const { ended } = await advancedTo('SETUP_FAILED', 'fails');
  expect(ended).toMatchObject({ outcome: 'failed', code: 'SETUP_FAILED' });
});
