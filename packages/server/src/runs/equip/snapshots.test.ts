import { existsSync, mkdirSync, readFileSync, readdirSync, lstatSync, statSync } from 'node:fs';
import { execFileSync } from 'node:child_process';
import { zstdCompressSync } from 'node:zlib';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, expect, test } from 'vitest';
import { prepare } from '../../blueprints/prepared.ts';
import { blueprintSchema, type BlueprintSource, type Command } from '../../domain/blueprint.ts';
import { systemClock } from '../../domain/clock.ts';
import { noEgressFor } from '../../domain/config/index.ts';
import type { EventType, NewEvent } from '../../domain/events/index.ts';
import { defaultRunLimits } from '../../domain/limits.ts';
import type { RunContext } from '../../domain/ports/run-context.ts';
import { runOptionsSchema } from '../../domain/task.ts';
import { createWorkbench, type OwnedWorkbench } from '../../sandboxes/workbench.ts';
import { ensureProject } from '../../store/runs/ensure-project.ts';
import { countSnapshots } from '../../store/snapshots/count-snapshots.ts';
import { findSnapshot } from '../../store/snapshots/find-snapshot.ts';
import { testDatabase } from '../../testing/database.ts';
import { fakeSpec, UnisolatedFakeDriver } from '../../testing/fake-sandbox.ts';
import { commitAll, gitIn, makeRepository, TestPlace, writeFiles } from '../../testing/git-fixtures.ts';
import { MemoryAuditSink } from '../../testing/memory-audit-sink.ts';
import { memoryLog } from '../../testing/memory-log.ts';
import { repositoryDelivery } from './delivery.ts';
import { runRepository } from './repository.ts';
import { runSnapshots } from './snapshots.ts';

const database = testDatabase();
const driver = new UnisolatedFakeDriver();
let place: TestPlace;
let source = '';
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
afterAll(() => driver.destroyAll());

/** Reads nothing but what the commit has, writes to both places, and can be told apart from a snapshot of it. */
const setupCommand: Partial<Command> & { run: string } = {
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
  readonly audit?: MemoryAuditSink;
  readonly assertHeld?: () => void;
}

let runs = 0;
async function newRun(options: Options = {}) {
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
    prepare: (purpose: 'work' | 'verify' | 'baseline' = 'work') =>
      prepare(ctx, plan, { purpose, step: '0:setup' }),
    types: (): EventType[] => log.entries.map(({ type }) => type),
    of: <Type extends EventType>(type: Type) => log.entries.filter((entry) => entry.type === type),
    async inside(purpose: 'work' | 'verify' | 'baseline' = 'work') {
      const { ref } = await workbench.sandbox(purpose);
      return { workspace: driver.workspaceOf(ref.id), home: join(ref.address, 'home') };
    },
  };
}

type Run = Awaited<ReturnType<typeof newRun>>;
const kept = async (): Promise<number> => (await countSnapshots(database.db)).count;
const keyOf = (run: Run): string => (run.of('snapshot.made')[0]?.data as { key: string }).key;

/** Everything that setup made is there as it was, and git sees nothing changed. */
async function expectPrepared(run: Run, purpose: 'work' | 'verify' | 'baseline' = 'work'): Promise<void> {
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

test('the second run of a project restores what setup made, in every sandbox, and runs no setup', async () => {
  const audit = new MemoryAuditSink();
  const first = await newRun({ audit });
  expect(await first.prepare()).toMatchObject({ ok: true });
  expect(first.log.entries.filter(({ type }) => type.startsWith('snapshot.'))).toMatchObject([
    { type: 'snapshot.made', data: { kept: true } },
  ]);
  expect(audit.lines).toEqual(['snapshot.make allowed']);
  await first.prepare('baseline');
  expect(first.of('command.started')).toHaveLength(1);
  await expectPrepared(first, 'baseline');

  const second = await newRun();
  expect(await second.prepare()).toMatchObject({ ok: true });
  expect(await second.prepare()).toMatchObject({ ok: true });
  expect(second.of('snapshot.restored')).toHaveLength(1);
  expect(second.of('command.started')).toEqual([]);
  expect(second.types()).not.toContain('snapshot.made');
  await expectPrepared(second);
});

test('a proposal with the same files restores; one that changes a lock file runs the real setup', async () => {
  const first = await newRun();
  await first.prepare();
  const proposed = (commit: string): NewEvent => ({
    type: 'proposal.made',
    data: { commit, tree: commit, files: 1, added: 1, removed: 0, findings: [] } as never,
  });
  const same = await newRun();
  await same.log.append(proposed(same.commit));
  await same.prepare('verify');
  expect(same.of('snapshot.restored')[0]?.data).toMatchObject({ purpose: 'verify' });
  expect(same.of('command.started')).toEqual([]);
  await expectPrepared(same, 'verify');

  gitIn(source, ['checkout', '-q', '-b', 'berth/t']);
  writeFiles(source, { 'package-lock.json': '{"lockfileVersion":3,"packages":{}}' });
  commitAll(source, 'another lock file');
  const changed = gitIn(source, ['rev-parse', 'HEAD']).trim();
  gitIn(source, ['checkout', '-q', '-']);
  const other = await newRun();
  await other.log.append(proposed(changed));
  await other.prepare('verify');
  expect(other.of('snapshot.restored')).toEqual([]);
  expect(other.of('command.started')).toHaveLength(1);
  // What was made in a verify sandbox, from a branch, is nobody else's.
  expect(other.types()).not.toContain('snapshot.made');
});

test('plain installations share a snapshot between commits with the same manifests, other commands do not', async () => {
  const keys = async (setup: string): Promise<(string | null)[]> => {
    const run = await newRun({ setup: [{ run: setup }] });
    const at = async (): Promise<string | null> => {
      const now = await newRun({ setup: [{ run: setup }] });
      const found = await now.workbench.snapshots!.restore('baseline');
      return found.kind === 'none' ? found.key : null;
    };
    const before = await at();
    writeFiles(source, { 'a.txt': `${Math.random()}` });
    commitAll(source, 'source');
    const after = await at();
    writeFiles(source, { 'package-lock.json': `{"x":${Math.random()}}` });
    commitAll(source, 'lock');
    expect(run.commit).not.toBe('');
    return [before, after, await at()];
  };
  const [one, two, three] = await keys('npm ci');
  expect(two).toBe(one);
  expect(three).not.toBe(one);
  const [built, other] = await keys('npm ci && npm run build');
  expect(built).toEqual(expect.any(String));
  expect(other).not.toBe(built);
});

test.for<[string, RegExp | null, () => Promise<Run>]>([
  ['the blueprint came with the task', /came with the task/, () => newRun({ source: { kind: 'file', path: 'x' } })],
  [
    'the base is on another branch',
    /not on the default branch/,
    async () => {
      gitIn(source, ['checkout', '-q', '-b', 'outside']);
      writeFiles(source, { 'a.txt': 'poison\n' });
      commitAll(source, 'outside');
      gitIn(source, ['checkout', '-q', '-']);
      return newRun({ ref: 'outside' });
    },
  ],
  ['it is switched off, or values of the operator are in the sandbox', null, () => newRun({ allowed: false })],
  ['setup changes a tracked file', /tracks/, () => newRun({ setup: [{ run: 'echo x > a.txt' }] })],
  ['setup fails', null, () => newRun({ setup: [{ run: 'mkdir node_modules; exit 1' }] })],
  ['setup makes something setuid', /setuid/, () => newRun({ setup: [{ run: 'echo x > x && chmod 4755 x' }] })],
  ['setup makes a pipe', /of the kind/, () => newRun({ setup: [{ run: 'mkdir p && echo f > p/f && mkfifo p/x' }] })],
])('no snapshot is made where %s', async ([, reason, make]) => {
  const before = await kept();
  const run = await make();
  await run.prepare();
  expect(run.types()).not.toContain('snapshot.made');
  expect(await kept()).toBe(before);
  const said = [...run.of('snapshot.skipped'), ...run.of('snapshot.failed')].map(({ data }) => JSON.stringify(data));
  if (reason === null) expect(said).toEqual([]);
  else expect(said).toEqual([expect.stringMatching(reason)]);
});

test('what an agent or a person did in a sandbox never becomes a snapshot', async () => {
  const before = await kept();
  const agent = await newRun({ setup: [{ run: 'mkdir agent' }] });
  const found = await agent.workbench.snapshots!.restore('work');
  if (found.kind !== 'none' || found.key === null) throw new Error('there is a snapshot');
  await agent.prepare();
  // Setup alone had acted: that one is kept. Whatever follows cannot replace it.
  expect(await kept()).toBe(before + 1);
  const { workspace } = await agent.inside();
  await writeFile(join(workspace, 'repo/agent/poison.js'), 'poison');
  await agent.log.append({ type: 'agent.told', data: { step: '1:agent', kind: 'nudge', text: 'x' } });
  await agent.workbench.snapshots!.make((await agent.workbench.sandbox('work')).ref.id, found.key);
  await agent.workbench.snapshots!.make((await agent.workbench.sandbox('work')).ref.id, 'f'.repeat(64));
  expect(agent.of('snapshot.skipped')).toHaveLength(2);
  expect(await kept()).toBe(before + 1);

  const person = await newRun({ setup: [{ run: 'mkdir person' }] });
  await person.log.append({
    type: 'terminal.opened',
    data: { terminal: 't', by: 'p', columns: 80, rows: 24 },
  } as unknown as NewEvent);
  await person.prepare();
  expect(person.of('snapshot.skipped')).toHaveLength(1);
  expect(await kept()).toBe(before + 1);
});

test('a sandbox that was restored from a checkpoint neither makes nor takes one', async () => {
  const first = await newRun();
  await first.prepare();
  await first.workbench.checkpoint();
  const saved = first.of('checkpoint.saved')[0];
  if (saved?.type !== 'checkpoint.saved') throw new Error('no checkpoint');
  const before = await kept();
  const branched = await newRun({ begins: [{ type: 'checkpoint.saved', data: saved.data }] });
  await branched.prepare();
  expect(branched.of('command.started')).toHaveLength(1);
  expect(branched.types()).not.toContain('snapshot.restored');
  expect(branched.types()).not.toContain('snapshot.made');
  expect(await kept()).toBe(before);
});

test('a snapshot that cannot be restored is forgotten, and setup runs in a sandbox of its own', async () => {
  const first = await newRun();
  await first.prepare();
  const key = keyOf(first);
  const row = await findSnapshot(database.db, { projectId: first.projectId, key });
  await database.db.blobs.remove!(row!.blob);
  const second = await newRun();
  expect(await second.prepare()).toMatchObject({ ok: true });
  expect(second.of('snapshot.failed')[0]?.data).toMatchObject({ doing: 'restore', code: 'BLOB_MISSING' });
  expect(second.of('sandbox.created')).toHaveLength(2);
  expect(second.of('command.started')).toHaveLength(1);
  await expectPrepared(second);
  const third = await newRun();
  await third.prepare();
  expect(third.types()).toContain('snapshot.made');
});

test('a worker that ends between making one and recording it leaves none, and the next run makes it', async () => {
  const setup = [{ ...setupCommand, env: { CRASH: '1' } }];
  const before = await kept();
  const first = await newRun({
    setup,
    assertHeld: () => {
      throw new Error('the worker is gone');
    },
  });
  expect(await first.prepare()).toMatchObject({ ok: true });
  expect(first.of('snapshot.failed')).toHaveLength(1);
  expect(await kept()).toBe(before);
  const second = await newRun({ setup });
  await second.prepare();
  expect(second.of('snapshot.made')[0]?.data).toMatchObject({ kept: true });
});

test('hostile bytes in the store reach no sandbox', async () => {
  const setup = [{ ...setupCommand, env: { HOSTILE: '1' } }];
  const first = await newRun({ setup });
  await first.prepare();
  const key = keyOf(first);
  const outside = place.path('outside');
  mkdirSync(outside);
  // A folder that is a link by the time something is put into it.
  const tar = execFileSync('sh', [
    '-c',
    `cd "$1" && mkdir home && ln -s "$1" home/x && tar --format=gnu -cf - home/x > a.tar && rm home/x && mkdir home/x &&
     echo bad > home/x/planted && tar --format=gnu -rf a.tar home/x/planted && cat a.tar`,
    'sh',
    outside,
  ]);
  const blob = await database.db.blobs.put(zstdCompressSync(tar));
  await database.db.sql
    .updateTable('setup_snapshots')
    .set({ blob, bytes: tar.length, files: 100 })
    .where('key', '=', key)
    .execute();
  const second = await newRun({ setup });
  expect(await second.prepare()).toMatchObject({ ok: true });
  expect(second.of('snapshot.failed')[0]?.data).toMatchObject({ code: 'SNAPSHOT_REFUSED' });
  expect(existsSync(join(outside, 'planted'))).toBe(false);
  await expectPrepared(second);
});

test('a snapshot that collides with tracked files is not used', async () => {
  const first = await newRun({ setup: [{ run: 'npm --version >/dev/null || true' }, setupCommand] });
  await first.prepare();
  const row = await findSnapshot(database.db, { projectId: first.projectId, key: keyOf(first) });
  // The same name for a tree in which `node_modules/dep.js` is tracked with other contents.
  writeFiles(source, { '.gitignore': '', 'node_modules/dep.js': 'tracked\n' });
  commitAll(source, 'tracked');
  const other = await newRun();
  const found = await other.workbench.snapshots!.restore('work');
  if (found.kind !== 'none' || found.key === null) throw new Error('there is a snapshot');
  await database.db.sql
    .insertInto('setup_snapshots')
    .values({
      key: found.key,
      project_id: other.projectId,
      blob: row!.blob,
      files: row!.files,
      bytes: row!.bytes,
      stored_bytes: 1,
      run_id: 'r',
    })
    .execute();
  expect(await other.workbench.snapshots!.restore('work')).toEqual({ kind: 'failed' });
  // The other row names the same blob, which therefore stays.
  expect(await findSnapshot(database.db, { projectId: first.projectId, key: keyOf(first) })).not.toBeNull();
  const again = await newRun({ ref: first.commit, setup: [{ run: 'npm --version >/dev/null || true' }, setupCommand] });
  await again.prepare();
  expect(again.types()).toContain('snapshot.restored');
});

test('of two runs that make the same one at once, one wins, and both go on', async () => {
  const before = await kept();
  const setup = [{ ...setupCommand, env: { ONE: String(Math.random()) } }];
  const both = await Promise.all([newRun({ setup }), newRun({ setup })]);
  await Promise.all(both.map(async (run) => expect(await run.prepare()).toMatchObject({ ok: true })));
  expect(await kept()).toBe(before + 1);
  const made = both.flatMap((run) => run.of('snapshot.made')).map((entry) => (entry.data as { kept: boolean }).kept);
  expect(made.filter(Boolean)).toHaveLength(1);
  const third = await newRun({ setup });
  await third.prepare();
  expect(third.of('command.started')).toEqual([]);
  await expectPrepared(third);
});
