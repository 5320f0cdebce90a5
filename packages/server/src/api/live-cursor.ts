import { z } from 'zod';
import { BerthError } from '../domain/errors/index.ts';

/** How far a reader is: the last entry it has of each run, and its place among the changes of rows. */
export interface LiveCursor {
  readonly runs: Readonly<Record<string, number>>;
  readonly rows: string | null;
}

/** The last entry that the database can count. */
const mostSeq = 2_147_483_647;

const schema = z.strictObject({
  r: z.record(z.string().regex(/^r-[a-z0-9]{1,40}$/), z.int().min(0).max(mostSeq)),
  l: z.string().max(200).nullable(),
});

/** Opaque to readers; each message of a stream carries the one that resumes right after it. */
export function encodeLiveCursor({ runs, rows }: LiveCursor): string {
  return Buffer.from(JSON.stringify({ r: runs, l: rows })).toString('base64url');
}

/** @throws BerthError `CURSOR_INVALID` */
export function decodeLiveCursor(text: string): LiveCursor {
  let value: unknown = null;
  try {
    value = JSON.parse(Buffer.from(text, 'base64url').toString('utf8'));
  } catch {
    throw new BerthError('CURSOR_INVALID');
  }
  const read = schema.safeParse(value);
  if (!read.success) throw new BerthError('CURSOR_INVALID');
  return { runs: read.data.r, rows: read.data.l };
}

export interface WantedRun {
  readonly id: string;
  /** Entries after this one; null: the cursor's, or from the beginning. */
  readonly afterSeq: number | null;
}

/** Runs that one stream carries at most. */
export const maxRuns = 20;

/**
 * `runs=a,b:120`: ids (or unique beginnings), each with the entry the reader has already.
 * @throws BerthError `USAGE`
 */
export function wantedRuns(text: string): WantedRun[] {
  const parts = text.split(',').filter((part) => part !== '');
  if (parts.length > maxRuns) {
    throw new BerthError('USAGE', `runs: ${parts.length} are named; one stream carries at most ${maxRuns}`);
  }
  return parts.map((part) => {
    const read = /^([A-Za-z0-9_-]{1,80})(?::(\d{1,15}))?$/.exec(part);
    if (read === null) throw new BerthError('USAGE', 'runs: wanted are ids, each with or without :<seq>');
    const afterSeq = read[2] === undefined ? null : Number(read[2]);
    if (afterSeq !== null && afterSeq > mostSeq)
      throw new BerthError('USAGE', `runs: no run has entry ${afterSeq}`);
    return { id: read[1]!, afterSeq };
  });
}
