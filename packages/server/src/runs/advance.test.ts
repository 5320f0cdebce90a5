import { expect, test } from 'vitest';
import { decide, type StepOutcome, type Visit } from '../blueprints/index.ts';
import { BerthError, type ErrorCode } from '../domain/errors/index.ts';
import { blueprintSchema } from '../domain/blueprint.ts';
import { defaultRunLimits } from '../domain/limits.ts';
import type { RunContext } from '../domain/ports/run-context.ts';
import { memoryLog } from '../testing/memory-log.ts';
import { testClock } from '../testing/test-clock.ts';
import { advance, type AdvanceResult } from './advance.ts';

const blueprint = blueprintSchema.parse({
  version: 1,
  name: 'x',
  steps: ['setup', 'agent', 'verify', 'propose'],
});

interface Scene {
  /** What entering a step does; it passes when this answers nothing. */
  readonly perform?: (visit: Visit, stop: AbortController) => Promise<StepOutcome | undefined>;
  readonly plan?: () => Promise<void>;
  readonly release?: () => Promise<void>;
}

/** A run in memory that is advanced as its owner would, until its end or until it is let go. */
async function play(scene: Scene) {
  const log = memoryLog();
  const released: string[] = [];
  const entered: string[] = [];
  const once = async (outOfTime: boolean): Promise<AdvanceResult> => {
    const stop = new AbortController();
    const context = {
      runId: 'r-test',
      clock: testClock,
      signal: stop.signal,
      events: log,
      log,
      workbench: {
        release: async (purpose: string) => {
          released.push(purpose);
          await scene.release?.();
        },
      },
    } as unknown as RunContext;
    return advance({
      context,
      outOfTime,
      decide,
      plan: async () => {
        await scene.plan?.();
        const base = { ref: 'main', commit: 'a'.repeat(40) };
        const source = { kind: 'detected' as const, ecosystems: [] };
        const rest = { limits: defaultRunLimits, models: {}, simulated: false };
        await log.append({ type: 'run.planned', data: { base, blueprint, source, ...rest } });
      },
      perform: async (_context, visit) => {
        const { key, round, step } = visit;
        entered.push(key);
        if (!log.state().steps.some((one) => one.key === key && one.state === 'running'))
          await log.append({ type: 'step.started', data: { key, kind: step.step, round } });
        const outcome = (await scene.perform?.(visit, stop)) ?? {
          outcome: 'passed' as const,
          code: null,
          sentence: 'done',
        };
        await log.append({ type: 'step.ended', data: { key, kind: step.step, ...outcome, durationMs: 1 } });
        return outcome;
      },
    });
  };
  const first = await once(false);
  const result = first.kind === 'out-of-time' ? await once(true) : first;
  return { first, result, state: log.state(), released, entered, log };
}

const at =
  (kind: string, act: (stop: AbortController) => unknown): NonNullable<Scene['perform']> =>
  async (visit, stop) => {
    if (visit.step.step === kind) await act(stop);
    return undefined;
  };

const abortWith = (code: ErrorCode) =>
  at('agent', (stop) => {
    stop.abort(new BerthError(code));
    stop.signal.throwIfAborted();
  });
const failWith = (code: ErrorCode) =>
  at('agent', () => {
    throw new BerthError(code);
  });

test('walks the steps in order and takes every sandbox away before the last entry', async () => {
  const { entered, released, state, log } = await play({});
  expect(entered).toEqual(['0:setup', '1:agent', '2:verify', '3:propose']);
  expect(released).toEqual(['work', 'verify', 'baseline']);
  expect(log.entries.at(-1)?.type).toBe('run.ended');
  expect(state.ended).not.toBeNull();
});

test.each([
  ['a cancel', abortWith('RUN_CANCELLED'), 'ended', 'cancelled', 'RUN_CANCELLED'],
  ['a pause', abortWith('RUN_PAUSED'), 'stopped', null, null],
  ['a worker that stops', abortWith('WORKER_STOPPING'), 'stopped', null, null],
  ['the loss of ownership', abortWith('OWNERSHIP_LOST'), 'stopped', null, null],
  ['ownership lost at an append', failWith('OWNERSHIP_LOST'), 'stopped', null, null],
  ['a database that is away', failWith('DATABASE_UNAVAILABLE'), 'stopped', null, null],
  ['what the next owner would meet again', abortWith('EVENT_INVALID'), 'ended', 'failed', 'EVENT_INVALID'],
  ['the end of its minutes', abortWith('LIMIT_MINUTES'), 'ended', 'needs_human', 'LIMIT_MINUTES'],
  ['a model that fails', failWith('MODEL_KEY_REJECTED'), 'ended', 'needs_human', 'MODEL_KEY_REJECTED'],
  [
    'a sandbox that cannot be had',
    failWith('SANDBOX_UNAVAILABLE'),
    'ended',
    'needs_human',
    'SANDBOX_UNAVAILABLE',
  ],
  ['a sandbox lost again and again', failWith('SANDBOX_LOST'), 'ended', 'needs_human', 'SANDBOX_LOST'],
] as const)('%s in a step', async (_name, perform, kind, outcome, code) => {
  const { result, state, released } = await play({ perform });
  expect(result.kind).toBe(kind);
  expect(released).toEqual(kind === 'stopped' ? [] : ['work', 'verify', 'baseline']);
  expect(state.ended?.outcome ?? null).toBe(outcome);
  expect(state.ended?.code ?? null).toBe(code);
});

test.each([
  'SANDBOX_CAPACITY',
  'SANDBOX_QUOTA',
  'SANDBOX_UNSCHEDULABLE',
  'SANDBOX_CLUSTER_UNREACHABLE',
] as const)(
  'no room for its sandbox (%s) sends it back to the queue, with nothing failed and nothing taken away',
  async (code) => {
    const { result, state, released } = await play({ perform: failWith(code) });
    expect(result).toEqual({ kind: 'held', code, sentence: new BerthError(code).message });
    expect(released).toEqual([]);
    expect(state.ended).toBeNull();
    expect(state.steps.map((step) => step.state)).toEqual(['passed', 'running']);
  },
);

test.each(['SANDBOX_EVICTED', 'SANDBOX_NODE_LOST', 'SANDBOX_DELETED', 'SANDBOX_START_LATE'] as const)(
  'a sandbox that does not come to life (%s) is tried again in another',
  async (code) => {
    let tries = 0;
    const { state } = await play({
      perform: at('agent', () => {
        tries += 1;
        if (tries < 3) throw new BerthError(code);
      }),
    });
    expect(tries).toBe(3);
    expect(state.steps.every((step) => step.state === 'passed')).toBe(true);
  },
);

test('an error while it is planned ends it with that code', async () => {
  const { result, state } = await play({ plan: () => Promise.reject(new BerthError('BASE_UNKNOWN')) });
  expect(result.kind).toBe('ended');
  expect(state.ended).toMatchObject({ outcome: 'failed', code: 'BASE_UNKNOWN' });
});

test('a step whose sandbox was lost is entered again, at most three times', async () => {
  let losses = 0;
  const lose = (most: number) =>
    play({
      perform: at('setup', () => {
        losses += 1;
        if (losses <= most) throw new BerthError('SANDBOX_LOST');
      }),
    });
  expect((await lose(3)).entered.filter((key) => key === '0:setup')).toHaveLength(4);
  losses = 0;
  const { entered, state } = await lose(4);
  expect(entered.filter((key) => key === '0:setup')).toHaveLength(4);
  expect(state.ended).toMatchObject({ outcome: 'failed', code: 'SANDBOX_LOST' });
});

test.each<ErrorCode>(['DATABASE_DISK_FULL', 'GIT_DISK_FULL'])(
  'a step that meets %s waits with its sandboxes and is entered again',
  async (code) => {
    let isFull = true;
    const { entered, released, state } = await play({
      perform: at('setup', () => {
        if (!isFull) return;
        isFull = false;
        throw new BerthError(code);
      }),
    });
    expect(entered.filter((key) => key === '0:setup')).toHaveLength(2);
    expect(state.steps[0]).toMatchObject({ key: '0:setup', state: 'passed' });
    expect(released).toEqual(['work', 'verify', 'baseline']);
  },
);

test('out of time, the step is ended with the code and only propose is entered', async () => {
  const { first, entered, state } = await play({ perform: abortWith('LIMIT_MINUTES') });
  expect(first.kind).toBe('out-of-time');
  expect(entered).toEqual(['0:setup', '1:agent', '3:propose']);
  expect(state.steps.map(({ key, state: how, code }) => [key, how, code])).toEqual([
    ['0:setup', 'passed', null],
    ['1:agent', 'failed', 'LIMIT_MINUTES'],
    ['3:propose', 'passed', null],
  ]);
});

test('out of time while it proposes, it proposes to the end', async () => {
  let times = 0;
  const { entered, state } = await play({
    perform: at('propose', (stop) => {
      times += 1;
      if (times > 1) return;
      stop.abort(new BerthError('LIMIT_MINUTES'));
      stop.signal.throwIfAborted();
    }),
  });
  expect(entered.filter((key) => key === '3:propose')).toHaveLength(2);
  expect(state.steps.at(-1)).toMatchObject({ key: '3:propose', state: 'passed' });
});

test('out of time twice, it ends where it is', async () => {
  const out = (stop: AbortController): void => {
    stop.abort(new BerthError('LIMIT_MINUTES'));
    stop.signal.throwIfAborted();
  };
  const { result, state } = await play({
    perform: async (visit, stop) => {
      if (visit.step.step !== 'setup') out(stop);
      return undefined;
    },
  });
  expect(result.kind).toBe('ended');
  expect(state.ended).toMatchObject({ outcome: 'needs_human', code: 'LIMIT_MINUTES' });
});

test('a sandbox that cannot be removed does not keep a run from ending', async () => {
  const { state } = await play({ release: () => Promise.reject(new BerthError('SANDBOX_UNAVAILABLE')) });
  expect(state.ended).not.toBeNull();
});
