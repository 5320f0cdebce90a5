import { existsSync, lstatSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect } from 'vitest';
import { prepare } from '../blueprints/prepared.ts';
import { blueprintSchema, type BlueprintSource, type Command } from '../domain/blueprint.ts';
import { systemClock } from '../domain/clock.ts';
import { noEgressFor } from '../domain/config/index.ts';
import type { EventType, NewEvent } from '../domain/events/index.ts';
import { defaultRunLimits } from '../domain/limits.ts';
import type { AuditSink } from '../domain/ports/audit.ts';
import type { RunContext } from '../domain/ports/run-context.ts';
import type { SandboxPurpose } from '../domain/purpose.ts';
import { runOptionsSchema } from '../domain/task.ts';
import { repositoryDelivery } from '../runs/equip/delivery.ts';
import { runRepository } from '../runs/equip/repository.ts';
import { runSnapshots } from '../runs/equip/snapshots.ts';
import { createWorkbench, type OwnedWorkbench } from '../sandboxes/workbench.ts';
import { ensureProject } from '../store/runs/ensure-project.ts';
import { testDatabase } from './database.ts';
import { fakeSpec, UnisolatedFakeDriver } from './fake-sandbox.ts';
import { gitIn, makeRepository, TestPlace } from './git-fixtures.ts';
import { memoryLog } from './memory-log.ts';

/** The database of the test file that imports this. */
export const database = testDatabase();
const driver = new UnisolatedFakeDriver();
/** Of each test anew. */
export let place: TestPlace;
export let source = '';
const open: OwnedWorkbench[] = [];
beforeEach(() => {
  place = new TestPlace();
  source = makeRepository(place.path('source'), {
    'a.txt': 'a\n',
    'package.json': '{"name":"a"}',
    'package-lock.json': '{"lockfileVersion":3}',
    '.gitignore': 'node_modules/\n',
  });
});
afterEach(async () => {
  for (const workbench of open.splice(0)) {
    await workbench.detach();
    workbench.close();
  }
  await driver.destroyAll();
  place.cleanUp();
});

/** Reads nothing but what the commit has, writes to both places, and can be told apart from a snapshot of it. */
export const setupCommand: Partial<Command> & { run: string } = {
  run: [
    'mkdir -p node_modules/.bin node_modules/empty "$HOME/.cache/deep" ../beside',
    'echo real > node_modules/dep.js && ln node_modules/dep.js node_modules/hard.js',
    'ln -s ../dep.js node_modules/.bin/dep && chmod 755 node_modules/dep.js',
    'echo cached > "$HOME/.cache/deep/x" && echo b > ../beside/b',
    'mkdir -p "$HOME/.berth/tool" && echo t > "$HOME/.berth/tool/t"',
  ].join(' && '),
};

interface Options {
  readonly setup?: ReadonlyArray<Partial<Command> & { run: string }>;
  readonly source?: BlueprintSource;
  readonly ref?: string;
  readonly allowed?: boolean;
  /** Stands for a run that was branched off with a checkpoint. */
  readonly begins?: NewEvent[];
  readonly audit?: AuditSink;
  readonly assertHeld?: () => void;
}

let runs = 0;
/** A planned run of `source`, in a log of its own. */
export async function newRun(options: Options = {}) {
  runs += 1;
  const { signal } = new AbortController();
  const project = await ensureProject(database.db, { name: 'sample', repository: source });
  const log = memoryLog();
  const repository = runRepository(place.path('home'), source, signal, () => false);
  const commit = gitIn(source, ['rev-parse', options.ref ?? 'HEAD']).trim();
  const blueprint = blueprintSchema.parse({
    version: 1,
    name: 'test',
    setup: options.setup ?? [setupCommand],
    steps: ['setup'],
  });
  await log.append(
    {
      type: 'run.created',
      data: {
        taskId: 't',
        projectId: project.id,
        repository: source,
        title: 't',
        text: 't',
        branch: 'berth/t',
        attempt: 1,
        options: runOptionsSchema.parse({}),
      },
    },
    {
      type: 'run.planned',
      data: {
        base: { ref: 'main', commit },
        blueprint,
        source: options.source ?? { kind: 'detected', ecosystems: ['node'] },
        limits: defaultRunLimits,
        models: {},
        simulated: false,
      },
    },
    ...(options.begins ?? []),
  );
  const { db } = database;
  const parts = {
    runId: `r-${runs}`,
    epoch: 1,
    driver,
    limits: fakeSpec().limits,
    profile: null,
    events: log,
    log,
    clock: systemClock,
    blobs: db.blobs,
    signal,
  };
  const workbench = createWorkbench({
    ...parts,
    repository: repositoryDelivery(repository, db.blobs),
    newSandboxId: () => fakeSpec().id,
    snapshots: runSnapshots({
      ...parts,
      db,
      projectId: project.id,
      repository,
      egressBounds: { current: () => ({}), onChange: () => () => undefined },
      egressGiven: () => noEgressFor,
      assertHeld: options.assertHeld ?? (() => undefined),
      allowed: () => options.allowed ?? true,
      ...(options.audit === undefined ? {} : { audit: options.audit }),
    }),
  });
  open.push(workbench);
  const ctx = { ...parts, workbench, limits: {} } as unknown as RunContext;
  const plan = log.state().plan!;
  return {
    log,
    ctx,
    workbench,
    plan,
    projectId: project.id,
    commit,
    prepare: (purpose: SandboxPurpose = 'work') => prepare(ctx, plan, { purpose, step: '0:setup' }),
    types: (): EventType[] => log.entries.map(({ type }) => type),
    of: (type: EventType) => log.entries.filter((entry) => entry.type === type),
    async inside(purpose: SandboxPurpose = 'work') {
      const { ref } = await workbench.sandbox(purpose);
      return { workspace: driver.workspaceOf(ref.id), home: join(ref.address, 'home') };
    },
  };
}

export type SnapshotRun = Awaited<ReturnType<typeof newRun>>;

/** Everything that setup made is there as it was, and git sees nothing changed. */
export async function expectPrepared(run: SnapshotRun, purpose: SandboxPurpose = 'work'): Promise<void> {
  const { workspace, home } = await run.inside(purpose);
  const modules = join(workspace, 'repo/node_modules');
  expect(readFileSync(join(modules, '.bin/dep'), 'utf8')).toBe('real\n');
  expect(lstatSync(join(modules, '.bin/dep')).isSymbolicLink()).toBe(true);
  expect(statSync(join(modules, 'dep.js')).ino).toBe(statSync(join(modules, 'hard.js')).ino);
  expect(statSync(join(modules, 'dep.js')).mode & 0o777).toBe(0o755);
  expect(readdirSync(join(modules, 'empty'))).toEqual([]);
  expect(readFileSync(join(home, '.cache/deep/x'), 'utf8')).toBe('cached\n');
  expect(readFileSync(join(home, '.berth/tool/t'), 'utf8')).toBe('t\n');
  expect(readFileSync(join(workspace, 'beside/b'), 'utf8')).toBe('b\n');
  expect(gitIn(join(workspace, 'repo'), ['status', '--porcelain'])).toBe('');
  expect(existsSync(join(home, '.berth/snapshot'))).toBe(false);
}
