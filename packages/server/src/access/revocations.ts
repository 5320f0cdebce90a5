import type { Principal } from '../domain/access.ts';
import type { CurrentConfig } from '../domain/config/index.ts';
import { BerthError } from '../domain/errors/index.ts';
import type { Database } from '../store/database.ts';
import { keepListening } from '../store/listen.ts';
import { findOver, insertRevocations, revocationChannel } from '../store/tokens/revocations.ts';

/** How long a revocation can go unnoticed where NOTIFY was lost, and an expiry in any case. */
const pollMs = 15_000;
/** Streams watched at once in one process; more than any server lets open. */
const mostWatched = 100_000;

/** Ends what a token or session has opened as soon as it is over. */
export interface Revocations {
  /**
   * Aborted once the token or session that carries this principal is revoked, here or at another replica (at once
   * over NOTIFY, after 15 s at the latest), or its token expires, or people and their roles change in the
   * configuration: whoever may still look connects again. Watched until `until` is aborted: pass the end of the stream.
   * @throws BerthError `OVERLOADED` when nothing more can be watched
   */
  signalFor(principal: Principal, until: AbortSignal): AbortSignal;
  /**
   * Says that tokens or sessions are over: here at once, elsewhere as soon as they hear it.
   * @param ids of tokens (`k-…`) or sessions (`n-…`); an id never comes back to life
   * @param forgetAt when they would have been over anyway
   */
  announce(ids: readonly string[], forgetAt: Date): Promise<void>;
  close(): Promise<void>;
}

interface Watch {
  readonly ids: readonly string[];
  readonly isLocal: boolean;
  readonly controller: AbortController;
}

/** The one watcher of this process; it connects with the first stream. */
export function revocations(db: Database, config?: CurrentConfig): Revocations {
  const { clock } = db;
  const closing = new AbortController();
  const watches = new Set<Watch>();
  const byId = new Map<string, Set<Watch>>();
  let watching: Promise<unknown> | null = null;
  /** Ids that came since the last look, and whether a look is under way. */
  const unseen = new Set<string>();
  let looking: Promise<void> | null = null;

  const drop = (watch: Watch): void => {
    watches.delete(watch);
    for (const id of watch.ids) {
      const group = byId.get(id);
      group?.delete(watch);
      if (group?.size === 0) byId.delete(id);
    }
  };
  const end = (watch: Watch): void => {
    drop(watch);
    watch.controller.abort(new BerthError('TOKEN_REVOKED', 'What let this stream in is over.'));
  };
  const endId = (id: string): void => {
    for (const watch of byId.get(id) ?? []) end(watch);
  };
  const look = async (ids: readonly string[]): Promise<void> => {
    for (const id of await findOver(db, ids)) endId(id);
  };
  /** A revocation may have come between the check of a credential and its watch: each new one is looked up once. */
  const lookSoon = (): void => {
    looking ??= (async () => {
      while (unseen.size > 0) {
        const ids = [...unseen];
        unseen.clear();
        await look(ids).catch(() => undefined);
      }
    })().finally(() => {
      looking = null;
    });
  };
  const lookAll = (): void => {
    for (const id of byId.keys()) unseen.add(id);
    lookSoon();
  };
  const poll = async (): Promise<void> => {
    while (!closing.signal.aborted) {
      await clock.sleep(pollMs, closing.signal).catch(() => undefined);
      if (!closing.signal.aborted) lookAll();
    }
  };
  const start = (): void => {
    watching ??= Promise.all([
      poll(),
      keepListening({
        address: db.directAddress,
        clock,
        channel: revocationChannel,
        onPayload: endId,
        onListening: lookAll,
        signal: closing.signal,
      }),
    ]);
  };
  let people = config?.current().config;
  const stopHearing = config?.onChange(({ config: next }) => {
    const before = people;
    people = next;
    if (before !== undefined && JSON.stringify(rightsIn(before)) === JSON.stringify(rightsIn(next))) return;
    for (const watch of watches) if (!watch.isLocal) end(watch);
  });

  return {
    signalFor(principal, until) {
      const ids = [principal.tokenId, principal.sessionId].filter((id) => id !== null);
      const controller = new AbortController();
      const watch: Watch = { ids, isLocal: principal.kind === 'local', controller };
      // Whoever owns the account, over the socket: nothing to revoke.
      if (watch.isLocal && ids.length === 0) return controller.signal;
      if (until.aborted || closing.signal.aborted) return AbortSignal.abort(until.reason);
      if (watches.size >= mostWatched) throw new BerthError('OVERLOADED');
      watches.add(watch);
      for (const id of ids) {
        const group = byId.get(id) ?? new Set();
        byId.set(id, group.add(watch));
        unseen.add(id);
      }
      until.addEventListener('abort', () => drop(watch), { once: true });
      start();
      lookSoon();
      return controller.signal;
    },
    async announce(ids, forgetAt) {
      for (const id of ids) endId(id);
      await insertRevocations(db, ids, forgetAt);
    },
    async close() {
      closing.abort(new BerthError('DATABASE_UNAVAILABLE', 'The server is stopping.'));
      stopHearing?.();
      await watching;
      await looking;
    },
  };
}

/** What decides about rights; any change of it ends the streams of people and service accounts. */
function rightsIn(config: ReturnType<CurrentConfig['current']>['config']): unknown {
  const { people, groups, serviceAccounts } = config;
  const granted = new Set(
    [...people, ...groups, ...serviceAccounts].flatMap((one) => Object.keys(one.projects)),
  );
  // A role is on the repository that its project's name stands for.
  const repositories = config.projects
    .filter(({ name }) => granted.has(name))
    .map(({ name, repository }) => [name, repository]);
  return { people, groups, serviceAccounts, repositories };
}
