import { asBerthError, BerthError } from '../domain/errors/index.ts';
import type { Database } from '../store/database.ts';
import { appendHead, headOf, lastHead } from './heads.ts';
import { lastSeal, sealBatch } from './seal-batch.ts';
import { cutOldSeals } from './retention.ts';
import type { Seal } from './seal.ts';
import { takeSealerLock, type SealerLock } from './sealer-lock.ts';
import { isSettled, markNow, type Mark } from './settled-position.ts';
import type { SigningKey } from './signing-key.ts';

export const sealEveryMs = 10_000;
/** How long a round waits for transactions that are under way; what outlasts it is left to a later round. */
const settleTries = 20;
const settlePauseMs = 25;
const rememberedMarks = 100;

export interface SealerOptions {
  readonly key: SigningKey;
  /** The file outside the database that every head is appended to. */
  readonly headsPath: string;
  /** Told of every seal once it is durable: for the process log. */
  readonly onSeal: (seal: Seal) => void;
  readonly onError: (error: BerthError) => void;
  /** Age beyond which entries are cut, asked anew each round; null: never. */
  readonly keepForMs: () => number | null;
  readonly everyMs?: number;
  /** Called around a cut, so that it is an act on record itself. */
  readonly onCut: (cut: () => Promise<Readonly<Record<string, unknown>>>, before: string) => Promise<void>;
}

export interface Sealer {
  /** Seals what is settled now; false when another replica has the right to. */
  sealNow(): Promise<boolean>;
  /** Seals a last time and gives the right back. */
  stop(): Promise<void>;
}

/** Seals the record every ten seconds, as the only one over all replicas. */
export function startSealer(db: Database, options: SealerOptions): Sealer {
  const { clock } = db;
  const stopping = new AbortController();
  let lock: SealerLock | null = null;
  let isChecked = false;
  /** Marks that a long transaction kept from being settled, oldest first. */
  let marks: readonly Mark[] = [];
  let round: Promise<boolean> | null = null;

  async function holdsLock(): Promise<boolean> {
    if (lock !== null && (await lock.isHeld())) return true;
    await lock?.release();
    lock = await takeSealerLock(db.directAddress);
    isChecked = false;
    return lock !== null;
  }

  async function settledPosition(): Promise<number> {
    const now = await markNow(db.sql);
    marks = [...marks.slice(-rememberedMarks + 1), now];
    for (let tried = 1; ; tried += 1) {
      if (await isSettled(db.sql, now)) {
        marks = [];
        return now.position;
      }
      if (tried >= settleTries) break;
      await clock.sleep(settlePauseMs);
    }
    for (const [place, mark] of [...marks.entries()].toReversed()) {
      if (!(await isSettled(db.sql, mark))) continue;
      marks = marks.slice(place + 1);
      return mark.position;
    }
    return 0;
  }

  async function publish(seal: Seal): Promise<void> {
    await appendHead(options.headsPath, headOf(seal));
    options.onSeal(seal);
  }

  /** A crash may have come between the database and the file; and the database may have been put back. */
  async function compareWithHeads(): Promise<void> {
    const [seal, head] = [await lastSeal(db.sql), await lastHead(options.headsPath)];
    if (head !== null && (seal === null || seal.number < head.number)) {
      options.onError(
        new BerthError(
          'AUDIT_ROLLED_BACK',
          `The record ends at seal ${seal?.number ?? 0}; seal ${head.number} was signed at ${head.at}.`,
        ),
      );
    }
    if (seal !== null && seal.number > (head?.number ?? 0)) await publish(seal);
    isChecked = true;
  }

  async function sealAll(): Promise<boolean> {
    if (!(await holdsLock())) return false;
    if (!isChecked) await compareWithHeads();
    await sealSettled();
    const keepForMs = options.keepForMs();
    if (keepForMs === null) return true;
    // A cut is an act itself.
    if (await cutOldSeals(db, { ...options, keepForMs, publish })) await sealSettled();
    return true;
  }

  async function sealSettled(): Promise<void> {
    const until = await settledPosition();
    for (;;) {
      const seal = await sealBatch(db.sql, { until, key: options.key, atMs: clock.nowMs() });
      if (seal === null) return;
      await publish(seal);
    }
  }

  /** A round of its own after the one under way: what was recorded meanwhile belongs to it. */
  function sealNow(): Promise<boolean> {
    const mine = (round ?? Promise.resolve()).then(sealAll, sealAll);
    round = mine;
    return mine;
  }

  const report = (error: unknown): void => options.onError(asBerthError(error));
  const ticking = (async () => {
    for (;;) {
      await clock.sleep(options.everyMs ?? sealEveryMs, stopping.signal);
      await sealNow().catch(report);
    }
  })().catch(() => undefined);

  return {
    sealNow,
    async stop() {
      stopping.abort(new Error('the sealer is stopping'));
      await ticking;
      await sealNow().catch(report);
      await lock?.release();
      lock = null;
    },
  };
}
