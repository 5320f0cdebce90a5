import { openCallsOf, forfeitCall, settleCall } from '../limits/settle-call.ts';
import type { Database } from '../store/database.ts';
import type { Ownership } from '../store/runs/claim-run.ts';
import { readEvents } from '../store/events/read-events.ts';

/**
 * Ends every reservation of a run that nobody will end any more: its worker died, or it was stopped in the middle of
 * a call. A call whose answer is in the log costs what it cost; any other may have been billed and counts in full.
 * For the owner alone, while no call is under way; whoever owns the run no more ends nothing.
 * @throws BerthError `DATABASE_UNAVAILABLE` (repeat it)
 */
export async function settleOpenCalls(db: Database, ownership: Ownership): Promise<void> {
  const { runId } = ownership;
  const open = await openCallsOf(db, ownership);
  if (open.length === 0) return;
  const entries = await readEvents(db, runId, { types: ['model.answered'] });
  for (const reservation of open) {
    const callId = callOf(reservation);
    const answered = entries.find((entry) => entry.type === 'model.answered' && entry.data.callId === callId);
    if (answered?.type !== 'model.answered') {
      await forfeitCall(db, runId, reservation);
      continue;
    }
    const { costUsd, usage, model } = answered.data;
    // What repetitions have cost is part of the answer's cost.
    const isRepetition = reservation.includes('/repeat-');
    await settleCall(
      db,
      isRepetition
        ? { runId, callId: reservation, costUsd: 0, tokens: 0 }
        : {
            runId,
            callId: reservation,
            costUsd,
            tokens: usage.inputTokens + usage.outputTokens,
            answer: { model, usage },
          },
    );
  }
}

/** The call a reservation is for: repetitions and second askings have reservations of their own. */
function callOf(reservation: string): string {
  return reservation.replace(/\/repeat-\d+$/, '').replace(/\+\d+$/, '');
}
