import type { ConstructorOptions } from 'pg-boss';
import { connectTimeoutMs } from '../store/connect.ts';
import type { Database } from '../store/database.ts';

/** Schema of the job queue, made at its first start. */
export const jobsSchema = 'berth_jobs';

/** A connection to the queue past a transaction pooler, without the time-out of our own statements. */
export function bossOptions(db: Database): ConstructorOptions {
  const { directAddress: address } = db;
  return {
    // Its migrations may take longer than our statements do.
    ...(address.kind === 'url'
      ? { connectionString: address.url }
      : { host: address.directory, port: 5432, database: address.database, user: address.user }),
    application_name: 'berth-jobs',
    connectionTimeoutMillis: connectTimeoutMs,
    schema: jobsSchema,
    max: 2,
    cronMonitorIntervalSeconds: 10,
    cronWorkerIntervalSeconds: 2,
  };
}

export function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
