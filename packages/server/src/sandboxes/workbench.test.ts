import { afterAll, expect, test } from 'vitest';
import { defaultRunLimits } from '../domain/limits.ts';
import type { SandboxSpec } from '../domain/ports/sandbox.ts';
import { MemoryBlobs } from '../testing/agent-harness.ts';
import { fakeSpec, UnisolatedFakeDriver } from '../testing/fake-sandbox.ts';
import { ManualClock } from '../testing/manual-clock.ts';
import { memoryLog } from '../testing/memory-log.ts';
import { createWorkbench } from './workbench.ts';

const driver = new UnisolatedFakeDriver();
afterAll(() => driver.destroyAll());

/** A log in which the run is planned. */
async function plannedLog(): Promise<ReturnType<typeof memoryLog>> {
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
        steps: [],
        limits: {},
      },
      source: { kind: 'detected', ecosystems: [] },
      limits: defaultRunLimits,
      models: {},
      simulated: false,
    },
  });
  return log;
}

test('the way out that a command was given is closed when it ends, also when the command fails', async () => {
  const log = await plannedLog();
  const policies: string[] = [];
  const work = await driver.create(fakeSpec(), AbortSignal.timeout(120_000));
  const setEgress = work.setEgress.bind(work);
  work.setEgress = (policy) => {
    policies.push(JSON.stringify(policy.rules));
    setEgress(policy);
  };
  const unused = (): never => {
    throw new Error('not asked for');
  };
  const workbench = createWorkbench({
    runId: 'r-test',
    epoch: 1,
    driver: {
      name: 'fake',
      create: () => Promise.resolve(work),
      probe: unused,
      attach: unused,
      list: unused,
      destroy: () => Promise.resolve(),
    },
    limits: fakeSpec().limits,
    profile: null,
    events: log,
    log,
    clock: new ManualClock(),
    blobs: new MemoryBlobs(),
    signal: new AbortController().signal,
    repository: { deliver: () => Promise.resolve(), saveCheckpoint: unused, restoreCheckpoint: unused },
    newSandboxId: () => fakeSpec().id,
  });
  const command = {
    run: 'true',
    cwd: '..',
    env: {},
    timeoutMinutes: 1,
    egress: [{ ecosystem: 'npm' as const }],
  };
  const durable = { step: '0:setup', purpose: 'setup' as const, name: 'setup', command };
  await workbench.command('work', { id: 'one', ...durable });
  await expect.poll(() => policies.at(-1)).toBe('[]');
  expect(policies).toContain('[{"ecosystem":"npm"}]');
  work.exec = () => Promise.reject(new Error('the channel ended'));
  await expect(workbench.command('work', { id: 'two', ...durable })).rejects.toThrow('the channel ended');
  await expect.poll(() => policies.at(-1)).toBe('[]');
  await workbench.release('work');
});

test('large checkpoints rest in between, except those that are asked for', async () => {
  const log = await plannedLog();
  const clock = new ManualClock();
  let saves = 0;
  const workbench = createWorkbench({
    runId: 'r-test',
    epoch: 1,
    driver,
    limits: fakeSpec().limits,
    profile: null,
    events: log,
    log,
    clock,
    blobs: new MemoryBlobs(),
    signal: new AbortController().signal,
    repository: {
      deliver: () => Promise.resolve(),
      saveCheckpoint: () => {
        saves += 1;
        const tree = `tree-${saves}`;
        const counts = { files: 1, added: 1, removed: 0 };
        const bytes = 60 * 1024 * 1024;
        return Promise.resolve({ id: tree, tree, proposalTree: tree, blob: tree, bytes, ...counts });
      },
      restoreCheckpoint: () => Promise.resolve(),
    },
    newSandboxId: () => fakeSpec().id,
  });
  await workbench.checkpoint();
  workbench.checkpointSoon();
  expect((await workbench.checkpoint()).tree).toBe('tree-2');
  await clock.advance(59_000);
  workbench.checkpointSoon();
  await workbench.detach();
  expect(saves).toBe(2);
  await clock.advance(2_000);
  workbench.checkpointSoon();
  await expect.poll(() => saves).toBe(3);
  await workbench.release('work');
});

test('what the sandboxes of a run moved is on record, and the next owner goes on from there', async () => {
  const log = await plannedLog();
  const specs: SandboxSpec[] = [];
  const bench = () =>
    createWorkbench({
      runId: 'r-test',
      epoch: 1,
      driver: {
        name: 'fake',
        create: (spec, signal) => {
          specs.push(spec);
          return driver.create(spec, signal);
        },
        probe: () => driver.probe(),
        attach: () => Promise.resolve(null),
        list: () => driver.list(),
        destroy: (id) => driver.destroy(id),
      },
      limits: fakeSpec().limits,
      profile: null,
      events: log,
      log,
      clock: new ManualClock(),
      blobs: new MemoryBlobs(),
      signal: new AbortController().signal,
      repository: {
        deliver: () => Promise.resolve(),
        saveCheckpoint: () => Promise.reject(new Error('not asked for')),
        restoreCheckpoint: () => Promise.resolve(),
      },
      newSandboxId: () => fakeSpec().id,
    });
  const first = bench();
  await first.sandbox('work');
  await first.sandbox('baseline');
  const [work, baseline] = specs.map(({ egressAccount }) => egressAccount);
  work?.add('a.example', 1, 20 * 1024 ** 2);
  await expect.poll(() => log.state().egressMoved.down).toBe(20 * 1024 ** 2);
  baseline?.add('a.example', 2, 3);
  expect(log.state().egressMoved.up).toBe(1);
  await first.detach();
  expect(log.state().egressMoved).toMatchObject({ up: 3, down: 20 * 1024 ** 2 + 3 });
  const next = bench();
  await next.sandbox('baseline');
  expect(specs.at(-1)?.egressAccount?.of('a.example')).toEqual({ up: 3, down: 20 * 1024 ** 2 + 3 });
  for (const purpose of ['work', 'baseline'] as const) await next.release(purpose);
});
