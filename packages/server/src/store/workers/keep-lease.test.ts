import { sql } from 'kysely';
import { afterEach, expect, test } from 'vitest';
import { systemClock } from '../../domain/clock.ts';
import { testDatabase } from '../../testing/database.ts';
import { makeWorker } from '../../testing/owned-run.ts';
import { makeRun } from '../../testing/project-run.ts';
import { claimRun } from '../runs/claim-run.ts';
import { takeOver } from '../runs/take-over.ts';
import { keepLease, type Lease } from './keep-lease.ts';
import { leaseLeftMs, type LeaseTerms } from './lease.ts';
import { listWorkers } from './list-workers.ts';

const store = testDatabase();
const leases: Lease[] = [];
let workers = 0;

afterEach(async () => {
  for (const lease of leases.splice(0)) await lease.close();
});

async function keep(terms: LeaseTerms): Promise<Lease> {
  workers += 1;
  const lease = await keepLease(store.db, { id: `w-lease-${workers}`, address: null }, terms);
  leases.push(lease);
  return lease;
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}

async function expiryOf(workerId: string): Promise<number> {
  const { rows } = await sql<{ at: Date }>`
    select lease_expires_at as at from workers where id = ${workerId}`.execute(store.db.sql);
  return rows[0]!.at.getTime();
}

async function until(condition: () => Promise<boolean>): Promise<void> {
  while (!(await condition())) await systemClock.sleep(10);
}

test('a lease is renewed while the main thread is busy, and its runs stay its own', async () => {
  const lease = await keep({ ttlMs: 6_000, everyMs: 200, marginMs: 500 });
  const { runId } = await makeRun(store.db);
  expect(await claimRun(store.db, runId, lease.workerId)).not.toBeNull();
  const before = await expiryOf(lease.workerId);
  await until(async () => (await expiryOf(lease.workerId)) > before);
  const busy = await expiryOf(lease.workerId);
  // Blocks this thread for longer than the lease holds.
  for (const endMs = systemClock.monotonicMs() + 6_500; systemClock.monotonicMs() < endMs;);
  expect(await expiryOf(lease.workerId)).toBeGreaterThan(busy);
  const rival = await makeWorker(store.db);
  expect(await takeOver(store.db, rival, 10)).toEqual([]);
  lease.assertHeld();
  expect(lease.signal.aborted).toBe(false);
});

test('a worker that cannot renew stops before anybody may take over', async () => {
  const terms = { ttlMs: 12_000, everyMs: 100, marginMs: 9_000 };
  const lease = await keep(terms);
  const { runId } = await makeRun(store.db);
  await claimRun(store.db, runId, lease.workerId);
  // The row is locked: renewals wait, as on a database that does not answer.
  const holding = store.db.sql.transaction().execute(async (transaction) => {
    await sql`select from workers where id = ${lease.workerId} for update`.execute(transaction);
    await aborted(lease.signal);
    const { rows } = await sql<{ held: boolean }>`
      select lease_expires_at > clock_timestamp() as held from workers where id = ${lease.workerId}`.execute(
      transaction,
    );
    return rows[0]?.held;
  });
  expect(await holding).toBe(true);
  expect(() => lease.assertHeld()).toThrowError(expect.objectContaining({ code: 'OWNERSHIP_LOST' }) as Error);
});

test('a lease that the database says ran out is lost at once', async () => {
  const lease = await keep({ ttlMs: 60_000, everyMs: 50, marginMs: 1_000 });
  await sql`update workers set lease_expires_at = clock_timestamp() where id = ${lease.workerId}`.execute(
    store.db.sql,
  );
  await aborted(lease.signal);
  expect(lease.signal.reason).toMatchObject({ code: 'OWNERSHIP_LOST' });
});

test('a cut connection is replaced before the lease ends', async () => {
  const lease = await keep({ ttlMs: 30_000, everyMs: 100, marginMs: 1_000 });
  const before = await expiryOf(lease.workerId);
  await until(async () => (await expiryOf(lease.workerId)) > before);
  await sql`select pg_terminate_backend(pid) from pg_stat_activity
    where datname = current_database() and pid <> pg_backend_pid()`.execute(store.db.sql);
  const cut = await expiryOf(lease.workerId).catch(() => expiryOf(lease.workerId));
  await until(async () => (await expiryOf(lease.workerId)) > cut + 200);
  expect(lease.signal.aborted).toBe(false);
});

test('closing a lease ends it for everybody', async () => {
  const lease = await keep({ ttlMs: 60_000, everyMs: 1_000, marginMs: 1_000 });
  await lease.close();
  const workers = await listWorkers(store.db);
  expect(workers.find((worker) => worker.id === lease.workerId)?.isAlive).toBe(false);
  expect(lease.signal.aborted).toBe(true);
});

test('a lease counts from the moment its renewal was sent', () => {
  const terms = { ttlMs: 15_000, everyMs: 3_000, marginMs: 3_000 };
  expect(leaseLeftMs(terms, 100, 100)).toBe(12_000);
  expect(leaseLeftMs(terms, 100, 12_100)).toBe(0);
});
