import { BerthError } from '../domain/errors/index.ts';
import { isVisible, type VisibleProjects } from '../domain/access.ts';
import type { Database } from '../store/database.ts';
import { listRuns } from '../store/runs/list-runs.ts';
import { readRun } from '../store/runs/read-run.ts';
import type { RunRecord } from '../store/runs/run-record.ts';

/** As `newId` makes them. */
const wholeId = /^r-[0-9a-hjkmnp-tv-z]{16}$/;

/** Whether a text is a whole id of a run, of one that is there or not. */
export function isWholeId(text: string): boolean {
  return wholeId.test(text);
}

function orNone(error: unknown): null {
  if (error instanceof BerthError && error.code === 'NOT_FOUND') return null;
  throw error;
}

/**
 * The run that a person means: an id, a unique beginning of one, or `latest`.
 * @throws BerthError `NOT_FOUND`, `AMBIGUOUS_ID`, `DATABASE_UNAVAILABLE`
 */
export async function findRun(
  db: Database,
  text: string,
  visible: VisibleProjects = 'all',
): Promise<RunRecord> {
  // Most are whole: the API has found them before. What is not there may still be hidden, and is explained below.
  if (isWholeId(text)) {
    const run = await readRun(db, text).catch(orNone);
    if (run !== null && isVisible(visible, run.projectId)) return run;
  }
  const filter = {
    visible,
    ...(text === 'latest' ? {} : { idPrefix: text.startsWith('r-') ? text : `r-${text}` }),
  };
  const { runs } = await listRuns(db, { filter, limit: 2 });
  const [first, second] = runs;
  if (first === undefined) {
    throw new BerthError(
      'NOT_FOUND',
      text === 'latest' ? 'There is no run yet.' : `There is no run ${text}.`,
      {
        next:
          text === 'latest'
            ? 'Start one with `berth run "what you want done"`.'
            : 'List what there is with `berth runs`.',
      },
    );
  }
  if (text !== 'latest' && second !== undefined && first.id !== text) {
    throw new BerthError(
      'AMBIGUOUS_ID',
      `More than one run begins with ${text}: ${first.id}, ${second.id} …`,
    );
  }
  return first;
}
