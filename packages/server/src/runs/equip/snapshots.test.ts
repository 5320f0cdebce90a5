import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { zstdCompressSync } from 'node:zlib';
import { expect, test } from 'vitest';
import type { NewEvent } from '../../domain/events/index.ts';
import { countSnapshots } from '../../store/snapshots/count-snapshots.ts';
import { expireSnapshots, snapshotRetention } from '../../store/snapshots/expire-snapshots.ts';
import { findSnapshot } from '../../store/snapshots/find-snapshot.ts';
import { commitAll, gitIn, writeFiles } from '../../testing/git-fixtures.ts';
import { MemoryAuditSink } from '../../testing/memory-audit-sink.ts';
import { placeholderOf } from './secrets.ts';
import {
  database,
  expectPrepared,
  newRun,
  place,
  setupCommand,
  source,
  type SnapshotRun as Run,
} from '../../testing/snapshot-world.ts';

const kept = async (): Promise<number> => (await countSnapshots(database.db)).count;
function keyOf(run: Run): string {
  const [made] = run.log.entries.filter((entry) => entry.type === 'snapshot.made');
  if (made === undefined) throw new Error('none was made');
  return made.data.key;
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
  [
    'the blueprint came with the task',
    /came with the task/,
    () => newRun({ source: { kind: 'file', path: 'x' } }),
  ],
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
  [
    'it is switched off, or values of the operator are in the sandbox',
    null,
    () => newRun({ allowed: false }),
  ],
  ['setup changes a tracked file', /tracks/, () => newRun({ setup: [{ run: 'echo x > a.txt' }] })],
  ['setup fails', null, () => newRun({ setup: [{ run: 'mkdir node_modules; exit 1' }] })],
  [
    'setup makes something setuid',
    /setuid/,
    () => newRun({ setup: [{ run: 'echo x > x && chmod 4755 x' }] }),
  ],
  [
    'setup makes a pipe',
    /of the kind/,
    () => newRun({ setup: [{ run: 'mkdir p && echo f > p/f && mkfifo p/x' }] }),
  ],
  [
    'setup writes the placeholder of a credential',
    /placeholder/,
    () => newRun({ setup: [{ run: `echo token=${placeholderOf('k', 'r', 'n')} > "$HOME/.npmrc"` }] }),
  ],
])('no snapshot is made where %s', async ([, reason, make]) => {
  const before = await kept();
  const run = await make();
  await run.prepare();
  expect(run.types()).not.toContain('snapshot.made');
  expect(await kept()).toBe(before);
  const said = [...run.of('snapshot.skipped'), ...run.of('snapshot.failed')].map(({ data }) =>
    JSON.stringify(data),
  );
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

test('a sandbox in which a worker was restoring when it ended is replaced, and its successor restores again', async () => {
  const setup = [{ ...setupCommand, env: { HALF: '1' } }];
  const first = await newRun({ setup });
  await first.prepare();
  const second = await newRun({ setup });
  const { ref } = await second.workbench.sandbox('work');
  const { workspace } = await second.inside();
  await writeFile(join(workspace, 'repo/half'), 'half');
  await second.log.append({
    type: 'snapshot.begun',
    data: { purpose: 'work', sandboxId: ref.id, key: keyOf(first) },
  });
  expect(await second.prepare()).toMatchObject({ ok: true });
  expect(second.of('sandbox.created')).toHaveLength(2);
  expect(second.of('snapshot.restored')).toHaveLength(1);
  expect(second.of('command.started')).toEqual([]);
  await expectPrepared(second);
  expect(existsSync(join((await second.inside()).workspace, 'repo/half'))).toBe(false);
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
  const again = await newRun({
    ref: first.commit,
    setup: [{ run: 'npm --version >/dev/null || true' }, setupCommand],
  });
  await again.prepare();
  expect(again.types()).toContain('snapshot.restored');
});

test('of two runs that make the same one at once, one wins, and both go on', async () => {
  const before = await kept();
  const setup = [{ ...setupCommand, env: { ONE: String(Math.random()) } }];
  const both = await Promise.all([newRun({ setup }), newRun({ setup })]);
  await Promise.all(both.map(async (run) => expect(await run.prepare()).toMatchObject({ ok: true })));
  expect(await kept()).toBe(before + 1);
  const made = both
    .flatMap((run) => run.of('snapshot.made'))
    .map((entry) => (entry.data as { kept: boolean }).kept);
  expect(made.filter(Boolean)).toHaveLength(1);
  const third = await newRun({ setup });
  await third.prepare();
  expect(third.of('command.started')).toEqual([]);
  await expectPrepared(third);
});

test('what nobody used for long, and what is beyond so many of a project, is forgotten', async () => {
  const first = await newRun({ setup: [{ run: 'mkdir first' }] });
  await first.prepare();
  const second = await newRun({ setup: [{ run: 'mkdir second' }] });
  await second.prepare();
  await database.db.sql
    .updateTable('setup_snapshots')
    .set({ last_used_at: new Date(Date.now() - 15 * 86_400_000) })
    .where('key', '=', keyOf(first))
    .execute();
  const find = (run: Run) => findSnapshot(database.db, { projectId: run.projectId, key: keyOf(run) });
  await expireSnapshots(database.db, { ...snapshotRetention, mostPerProject: 100 });
  expect(await find(first)).toBeNull();
  expect(await find(second)).not.toBeNull();
  await expireSnapshots(database.db, { ...snapshotRetention, mostPerProject: 0 });
  expect(await find(second)).toBeNull();
  expect(await findSnapshot(database.db, { projectId: 'another', key: keyOf(second) })).toBeNull();
});
