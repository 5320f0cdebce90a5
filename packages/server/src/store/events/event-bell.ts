import { randomUUID } from 'node:crypto';
import { sql, type Kysely } from 'kysely';
import { Client } from 'pg';
import type { Clock } from '../../domain/ports/clock.ts';
import { clientConfig, type Address } from '../connect.ts';
import type { Tables } from '../tables.ts';

const channel = 'berth_log';
/** A notifying commit takes a database-wide lock, so what happens within this time rings once. */
const coalesceMs = 25;
const slowestReconnectMs = 5_000;

/**
 * Rings when a run's log has grown, in this process at once and elsewhere by NOTIFY, outside of append
 * transactions. It is only a hint: whoever waits for it also looks by itself now and then.
 */
export class EventBell {
  readonly #db: Kysely<Tables>;
  readonly #address: Address;
  readonly #clock: Clock;
  readonly #closed = new AbortController();
  readonly #waiting = new Map<string, Set<() => void>>();
  readonly #waitingForAny = new Set<() => void>();
  readonly #toTell = new Set<string>();
  /** Ends what this one says elsewhere: it has rung here before, and its own echo would have all look twice. */
  readonly #mark = `|${randomUUID()}`;
  #telling: Promise<void> | null = null;
  #listening: Promise<void> | null = null;

  constructor(db: Kysely<Tables>, address: Address, clock: Clock) {
    this.#db = db;
    this.#address = address;
    this.#clock = clock;
  }

  /** Says that `runId`'s log (or what else has a name) has grown. Never waits, never fails. */
  ring(runId: string): void {
    this.wakeHere(runId);
    this.#toTell.add(runId);
    this.#telling ??= this.#tell().finally(() => {
      this.#telling = null;
    });
  }

  /** Wakes those of this process that wait for `runId`: whoever polls has found what a lost ring was about. */
  wakeHere(runId: string): void {
    for (const wake of this.#waiting.get(runId) ?? []) wake();
    for (const wake of this.#waitingForAny) wake();
  }

  /** Calls `wake` whenever the bell rings for `runId`, until the returned function is called. */
  listen(runId: string, wake: () => void): () => void {
    this.#listening ??= this.#keepListening();
    const group = this.#waiting.get(runId) ?? new Set();
    group.add(wake);
    this.#waiting.set(runId, group);
    return () => {
      group.delete(wake);
      if (group.size === 0 && this.#waiting.get(runId) === group) this.#waiting.delete(runId);
    };
  }

  /** Calls `wake` whenever the bell rings, for whatever, until the returned function is called. */
  listenToAll(wake: () => void): () => void {
    this.#listening ??= this.#keepListening();
    this.#waitingForAny.add(wake);
    return () => this.#waitingForAny.delete(wake);
  }

  async close(): Promise<void> {
    this.#closed.abort(new Error('the bell is closed'));
    for (const runId of this.#waiting.keys()) this.wakeHere(runId);
    await this.#telling;
    await this.#listening;
  }

  async #tell(): Promise<void> {
    while (this.#toTell.size > 0 && !this.#closed.signal.aborted) {
      await this.#clock.sleep(coalesceMs, this.#closed.signal).catch(() => undefined);
      const runIds = [...this.#toTell];
      this.#toTell.clear();
      await sql`select pg_notify(${channel}, id || ${this.#mark}::text) from unnest(${runIds}::text[]) as id`
        .execute(this.#db)
        // Followers elsewhere find it by their slow poll.
        .catch(() => undefined);
    }
  }

  async #keepListening(): Promise<void> {
    let pauseMs = 100;
    while (!this.#closed.signal.aborted) {
      const startedMs = this.#clock.monotonicMs();
      await this.#listenOnce().catch(() => undefined);
      if (this.#clock.monotonicMs() - startedMs > slowestReconnectMs) pauseMs = 100;
      await this.#clock.sleep(pauseMs, this.#closed.signal).catch(() => undefined);
      pauseMs = Math.min(pauseMs * 2, slowestReconnectMs);
    }
  }

  async #listenOnce(): Promise<void> {
    const client = new Client(clientConfig(this.#address));
    const { promise: ended, resolve: end } = Promise.withResolvers<void>();
    client.on('error', () => end());
    client.on('end', () => end());
    client.on('notification', ({ payload = '' }) => {
      if (!payload.endsWith(this.#mark)) this.wakeHere(payload.slice(0, payload.lastIndexOf('|')));
    });
    this.#closed.signal.addEventListener('abort', () => end(), { once: true });
    try {
      await client.connect();
      await client.query(`listen ${channel}`);
      // Whatever was said while nobody listened.
      for (const runId of this.#waiting.keys()) this.wakeHere(runId);
      if (!this.#closed.signal.aborted) await ended;
    } finally {
      client.end().catch(() => undefined);
    }
  }
}
