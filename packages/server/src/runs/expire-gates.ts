import { asBerthError, type BerthError } from '../domain/errors/index.ts';
import { newId } from '../domain/ids.ts';
import type { Database } from '../store/database.ts';
import { expiredGates } from '../store/gates/expired-gates.ts';
import { postDecision } from '../store/gates/post-decision.ts';

/** Gates are open for hours and days: a few seconds more are nothing. */
const periodMs = 3_000;
const mostAtOnce = 200;
/** Whom the log names for what nobody did. */
const nobody = 'berth';

/**
 * Ends gates whose time is up, at once and then every few seconds, on any number of replicas: each gate takes one
 * decision, be it this one or a person's.
 * @returns ends the watch
 */
export function expireGates(db: Database, onError: (error: BerthError) => void): () => Promise<void> {
  const ended = new AbortController();
  const watch = async (): Promise<void> => {
    while (!ended.signal.aborted) {
      await expireOnce(db).catch((error: unknown) => {
        const known = asBerthError(error);
        if (known.code !== 'DATABASE_UNAVAILABLE') onError(known);
      });
      await db.clock.sleep(periodMs, ended.signal).catch(() => undefined);
    }
  };
  const watching = watch();
  return async () => {
    ended.abort();
    await watching;
  };
}

/** One round; returns the ids of the gates whose expiry this one handed in. */
export async function expireOnce(db: Database): Promise<string[]> {
  const expired: string[] = [];
  for (const { runId, gateId } of await expiredGates(db, mostAtOnce)) {
    const posted = await postDecision(db, {
      id: newId('i', db.clock.nowMs()),
      runId,
      by: nobody,
      decision: { kind: 'gate', gateId, verdict: 'expired', comment: null, alsoBy: [] },
    });
    if (posted.kind === 'posted') expired.push(gateId);
  }
  return expired;
}
