import { errorRegistry, isErrorCode, asBerthError, type BerthError } from '../../domain/errors/index.ts';
import type { ForgeConversation } from '../../domain/ports/forge.ts';
import {
  noteAcknowledged,
  takeAcknowledgements,
  type DueAcknowledgement,
} from '../../store/deliveries/acknowledgements.ts';
import type { Database } from '../../store/database.ts';
import { berthMark } from './event.ts';

const mostAtOnce = 10;
/** How soon a change of the run is seen. */
const lookAgainMs = 10_000;
/** What a person has to take up can go on, days later. */
const lookLaterMs = 300_000;
const firstRetryMs = 5_000;
const longestRetryMs = 1_800_000;
/** About five hours. */
const mostAttempts = 18;

export interface AcknowledgeParts {
  readonly db: Database;
  conversationOf(projectId: string): Promise<ForgeConversation | null>;
  /** Beginning of links; null: none is configured. */
  publicUrl(): string | null;
  readonly onError: (error: BerthError) => void;
}

/** One round over the comments that are due; returns how many were written. */
export async function acknowledgeDue(parts: AcknowledgeParts): Promise<number> {
  const due = await takeAcknowledgements(parts.db, mostAtOnce);
  const written = await Promise.all(due.map((one) => tell(parts, one)));
  return written.filter(Boolean).length;
}

async function tell(parts: AcknowledgeParts, due: DueAcknowledgement): Promise<boolean> {
  const { db, onError } = parts;
  const { taskId, told, attempts } = due;
  const { body, nextMs } = acknowledgement(due, parts.publicUrl());
  if (told === body) {
    await noteAcknowledged(db, taskId, { told, nextMs, failed: false });
    return false;
  }
  try {
    const conversation = await parts.conversationOf(due.projectId);
    // One comment for each task: the key finds it again, also when we died after writing it.
    await conversation?.comment(due.number, { key: `berth:task:${taskId}`, body });
    await noteAcknowledged(db, taskId, { told: body, nextMs, failed: false });
    return true;
  } catch (error) {
    const known = asBerthError(error);
    if (known.code === 'DATABASE_UNAVAILABLE') throw known;
    if (attempts >= mostAttempts) onError(known);
    await noteAcknowledged(db, taskId, {
      told,
      nextMs: attempts >= mostAttempts ? null : Math.min(firstRetryMs * 2 ** (attempts - 1), longestRetryMs),
      failed: true,
    });
    return false;
  }
}

/**
 * The comment for how a task stands. Made of our own words, ids and addresses alone: nothing that came from outside or
 * from a model is said again. Pure.
 * @returns `nextMs`: when to look again; null: all is said
 */
export function acknowledgement(
  {
    runId,
    state,
    code,
    pullRequestUrl,
  }: Pick<DueAcknowledgement, 'runId' | 'state' | 'code' | 'pullRequestUrl'>,
  publicUrl: string | null,
): { readonly body: string; readonly nextMs: number | null } {
  const run =
    publicUrl === null ? `\`${runId}\`` : `[${runId}](${publicUrl.replace(/\/+$/, '')}/runs/${runId})`;
  const link =
    pullRequestUrl !== null && /^https?:\/\/[^\s()<>]+$/.test(pullRequestUrl) ? pullRequestUrl : null;
  const why =
    code === null
      ? ''
      : isErrorCode(code)
        ? ` ${errorRegistry[code].sentence} (\`${code}\`)`
        : ` (\`UNKNOWN\`)`;
  const offered = link === null ? '' : ` Pull request: ${link}`;
  const said = (): { sentence: string; nextMs: number | null } => {
    switch (state) {
      case 'queued':
      case 'running':
        return { sentence: `Berth has started on this: run ${run}.${offered}`, nextMs: lookAgainMs };
      case 'paused':
        return { sentence: `Berth waits for a person: run ${run}.${offered}`, nextMs: lookAgainMs };
      case 'succeeded':
        return { sentence: `Berth is done: run ${run}.${offered}`, nextMs: null };
      case 'failed':
        return { sentence: `Berth could not do this: run ${run}.${why}${offered}`, nextMs: null };
      case 'needs_human':
        return { sentence: `Berth needs a person here: run ${run}.${why}${offered}`, nextMs: lookLaterMs };
      case 'cancelled':
        return { sentence: `Somebody cancelled this: run ${run}.${offered}`, nextMs: null };
    }
  };
  const { sentence, nextMs } = said();
  return { body: `${berthMark}progress -->\n${sentence}`, nextMs };
}
