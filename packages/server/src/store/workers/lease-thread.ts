import { workerData } from 'node:worker_threads';
import { Client } from 'pg';
import { systemClock } from '../../domain/clock.ts';
import { renewLeaseSql } from './renew-lease-sql.ts';
import type { LeaseThreadData } from './keep-lease.ts';

// The thread that renews one worker's lease, on a connection of its own, so that no traffic can delay it.
const { config, workerId, terms, renewedMs } = workerData as LeaseThreadData;
const renewed = new Float64Array(renewedMs);

const held: { client: Client | null } = { client: null };

async function connected(): Promise<Client> {
  if (held.client !== null) return held.client;
  const fresh = new Client({
    ...config,
    query_timeout: terms.everyMs,
    connectionTimeoutMillis: terms.everyMs,
  });
  fresh.on('error', () => {
    if (held.client === fresh) held.client = null;
  });
  await fresh.connect();
  held.client = fresh;
  return fresh;
}

/** False: the database says that the lease has run out. */
async function renew(): Promise<boolean> {
  const sentMs = systemClock.monotonicMs();
  const connection = await connected();
  const { rowCount } = await connection.query(renewLeaseSql, [workerId, terms.ttlMs]);
  if (rowCount !== 1) return false;
  renewed[0] = sentMs;
  return true;
}

// Ended from outside, or here when the lease is lost: the end of this thread is the end of the lease.
for (;;) {
  try {
    if (!(await renew())) break;
    await systemClock.sleep(terms.everyMs);
  } catch {
    const broken = held.client;
    held.client = null;
    broken?.end().catch(() => undefined);
    await systemClock.sleep(Math.min(500, terms.everyMs));
  }
}
process.exit(0);
