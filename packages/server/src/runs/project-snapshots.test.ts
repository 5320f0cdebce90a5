import { randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import { expireSnapshots, snapshotRetention } from '../store/snapshots/expire-snapshots.ts';
import { recordSnapshot } from '../store/snapshots/record-snapshot.ts';
import { ensureProject } from '../store/runs/ensure-project.ts';
import { testDatabase } from '../testing/database.ts';
import { projectSnapshotsOf } from './project-snapshots.ts';

const store = testDatabase();
const snapshots = () => projectSnapshotsOf(store.db);
let made = 0;

async function project(): Promise<string> {
  made += 1;
  const { id } = await ensureProject(store.db, { name: `p${made}`, repository: `/srv/p${made}` });
  return id;
}

/** One that was used so many hours ago. */
async function keep(
  projectId: string,
  storedBytes: number,
  hoursAgo: number,
  blob?: string,
): Promise<string> {
  const key = randomBytes(32).toString('hex');
  const own = blob ?? (await store.db.blobs.put(randomBytes(8)));
  await recordSnapshot(store.db, {
    key,
    projectId,
    runId: 'r-1',
    blob: own,
    files: 3,
    bytes: 9,
    storedBytes,
  });
  await store.db.sql
    .updateTable('setup_snapshots')
    .set({ last_used_at: new Date(Date.now() - hoursAgo * 3_600_000) })
    .where('key', '=', key)
    .execute();
  return key;
}

const keysOf = async (projectId: string): Promise<string[]> =>
  (await snapshots().list(projectId)).snapshots.map(({ key }) => key);

test('a project tells of its snapshots alone, newest use first, and clearing leaves those of others', async () => {
  const [ours, theirs] = [await project(), await project()];
  const shared = await store.db.blobs.put(Buffer.from('shared'));
  const own = await store.db.blobs.put(Buffer.from('own'));
  const older = await keep(ours, 10, 2, shared);
  const newer = await keep(ours, 20, 1, own);
  const other = await keep(theirs, 30, 0, shared);
  expect(await snapshots().list(ours)).toMatchObject({
    schema: 'berth.snapshots/v1',
    storedBytes: 30,
    snapshots: [{ key: newer, run: 'r-1', files: 3, bytes: 9, storedBytes: 20 }, { key: older }],
  });
  expect(await snapshots().clear(ours)).toEqual({ removed: 2, storedBytes: 30 });
  expect(await keysOf(ours)).toEqual([]);
  expect(await keysOf(theirs)).toEqual([other]);
  // The bytes that another project's snapshot names stay; the others are gone.
  expect(Buffer.from(await store.db.blobs.get(shared)).toString()).toBe('shared');
  await expect(store.db.blobs.get(own)).rejects.toMatchObject({ code: 'BLOB_MISSING' });
  expect(await snapshots().clear(ours)).toEqual({ removed: 0, storedBytes: 0 });
  await snapshots().clear(theirs);
});

test('of a project, and of all, what was not used for longest makes room for bytes', async () => {
  const [one, two] = [await project(), await project()];
  const [a, b, c] = [await keep(one, 40, 3), await keep(one, 40, 2), await keep(one, 40, 1)];
  const [x, y] = [await keep(two, 50, 5), await keep(two, 50, 0)];
  const rule = { ...snapshotRetention, mostBytesPerProject: 100, mostBytes: 1_000 };
  await expireSnapshots(store.db, rule);
  expect(await keysOf(one)).toEqual([c, b]);
  expect(await keysOf(two)).toEqual([y, x]);
  expect(a).not.toBe(b);
  // y, c, b are 130; x is one too many.
  await expireSnapshots(store.db, { ...rule, mostBytes: 130 });
  expect([await keysOf(one), await keysOf(two)]).toEqual([[c, b], [y]]);
  // On a full disk: only what was used within a day.
  const yesterday = await keep(two, 1, 30);
  expect(await keysOf(two)).toContain(yesterday);
  await expireSnapshots(store.db, { ...snapshotRetention, unusedDays: 1 });
  expect(await keysOf(two)).toEqual([y]);
});

test('a project that is not there has none to tell of', async () => {
  await expect(snapshots().list('p-none')).rejects.toMatchObject({ code: 'NOT_FOUND' });
});
