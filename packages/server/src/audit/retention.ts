import { sql } from 'kysely';
import type { Database } from '../store/database.ts';
import { sealCut } from './seal-batch.ts';
import type { Seal } from './seal.ts';
import type { SealerOptions } from './sealer.ts';

/** Of one cut, so that its statement stays short. */
const sealsOfCut = 500;
const entriesOfCut = 20_000;
const longestSlackMs = 3_600_000;

/**
 * Cuts whole sealed batches older than `keepForMs`, each with a signed seal that says where. The newest seal always
 * stays. Answers whether anything was cut.
 */
export async function cutOldSeals(
  db: Database,
  options: Pick<SealerOptions, 'key' | 'onCut'> & {
    readonly keepForMs: number;
    readonly publish: (seal: Seal) => Promise<void>;
  },
): Promise<boolean> {
  const nowMs = db.clock.nowMs();
  const before = new Date(nowMs - options.keepForMs).toISOString();
  // A cut is an act with a seal of its own: not one every ten seconds, for what aged in between.
  const slackMs = Math.min(longestSlackMs, options.keepForMs / 10);
  if (!(await isAnyOlder(db, new Date(nowMs - options.keepForMs - slackMs).toISOString()))) return false;
  for (;;) {
    const end = await endOfCut(db, before);
    if (end === null) return true;
    await options.onCut(async () => {
      const seal = await sealCut(db.sql, {
        cut: { ...end, before },
        key: options.key,
        atMs: db.clock.nowMs(),
      });
      await options.publish(seal);
      return { seal: seal.number, upTo: end.number, position: end.position, entries: end.entries, before };
    }, before);
  }
}

async function isAnyOlder(db: Database, than: string): Promise<boolean> {
  const { rows } = await sql<{ number: string }>`
    select number from audit_seals where at < ${than}::timestamptz order by number limit 1`.execute(db.sql);
  return rows.length > 0;
}

interface EndOfCut {
  readonly number: number;
  readonly hash: string;
  readonly position: number;
  readonly entries: number;
}

/** The last of the old seals that one cut takes; null when there is none. */
async function endOfCut(db: Database, before: string): Promise<EndOfCut | null> {
  const { rows } = await sql<{ number: string; hash: string; position: string; entries: string }>`
    with old as (
      select number, hash, to_position as position, sum(count) over (order by number) as entries
      from audit_seals
      where at < ${before}::timestamptz and number < (select max(number) from audit_seals)
      order by number limit ${sealsOfCut}
    )
    select * from old where entries <= ${entriesOfCut} or number = (select min(number) from old)
    order by number desc limit 1`.execute(db.sql);
  const last = rows[0];
  if (last === undefined) return null;
  return {
    number: Number(last.number),
    hash: last.hash,
    position: Number(last.position),
    entries: Number(last.entries),
  };
}
