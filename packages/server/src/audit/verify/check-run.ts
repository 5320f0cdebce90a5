import { sql } from 'kysely';
import { BerthError } from '../../domain/errors/index.ts';
import type { Database } from '../../store/database.ts';
import { verifyChain } from '../../store/events/verify-chain.ts';
import type { Anchor } from '../seal.ts';
import type { Findings } from './findings.ts';

/** Compares heads that a seal anchored with the runs' logs. */
export async function checkAnchors(
  db: Database,
  seal: number,
  anchors: readonly Anchor[],
  findings: Findings,
): Promise<void> {
  if (anchors.length === 0) return;
  const { rows } = await sql<{ run_id: string; seq: number; hash: string | null }>`
    select a.run_id, a.seq, events.hash
    from unnest(${anchors.map(([run]) => run)}::text[], ${anchors.map(([, seq]) => seq)}::int[]) as a (run_id, seq)
    left join events on events.run_id = a.run_id and events.seq = a.seq`.execute(db.sql);
  const stored = new Map(rows.map((row) => [row.run_id, row.hash]));
  for (const [run, seq, hash] of anchors) {
    const found = stored.get(run) ?? null;
    if (found === hash) continue;
    findings.add({
      problem: found === null ? 'run-missing' : 'run-changed',
      run,
      seq,
      seal,
      sentence:
        found === null
          ? `Entry ${seq} of run ${run} was anchored by seal ${seal} and is gone.`
          : `Entry ${seq} of run ${run} is not the one that seal ${seal} anchored.`,
    });
  }
}

/** Checks one run's whole log. Answers how many entries hold; null where there is no such run. */
export async function checkRun(
  db: Database,
  runId: string,
  findings: Findings,
): Promise<{ readonly events: number; readonly erased: number } | null> {
  try {
    const verdict = await verifyChain(db, runId);
    if (verdict.ok) return { events: verdict.entries, erased: verdict.erased };
    findings.add({
      problem: 'run-changed',
      run: runId,
      seq: verdict.seq,
      sentence: `Run ${runId}: ${verdict.sentence}`,
    });
  } catch (error) {
    // Were it taken away, the seals that anchored it would tell.
    if (error instanceof BerthError && error.code === 'NOT_FOUND') return null;
    throw error;
  }
  return { events: 0, erased: 0 };
}
