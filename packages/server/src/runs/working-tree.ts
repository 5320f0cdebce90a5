import { BerthError } from '../domain/errors/index.ts';
import type { Blobs } from '../domain/ports/blobs.ts';
import type { RunReading } from '../domain/ports/run-reading.ts';
import type { CheckpointPlace } from '../domain/run-views.ts';
import { diffOfTrees, fileOf, folderOf, type SavedTree } from '../git/checkpoint-trees.ts';
import type { Mirror } from '../git/mirror.ts';
import type { StoredEvent } from '../domain/events/index.ts';
import type { Database } from '../store/database.ts';
import { readEvents } from '../store/events/read-events.ts';
import type { RunRecord } from '../store/runs/run-record.ts';
import { findRun } from './find-run.ts';

const maxDiffBytes = 4 * 1024 * 1024;
/** Largest file whose content is answered. */
export const maxFileBytes = 5 * 1024 * 1024;
const maxEntries = 2_000;
/** Looking at a tree takes seconds at most; a repository that takes longer is given up on. */
const patienceMs = 60_000;

export type SavedCheckpoint = Extract<StoredEvent, { type: 'checkpoint.saved' }>;

export interface WorkingTreeParts {
  readonly db: Database;
  /** Berth's copy of a run's repository. */
  mirrorOf(repository: string, signal: AbortSignal): Promise<Mirror>;
}

/** Diff and files of a run at its checkpoints, as the port says. */
export function workingTrees(parts: WorkingTreeParts): Pick<RunReading, 'diffAt' | 'filesAt' | 'fileAt'> {
  const { db } = parts;
  const { blobs } = db;

  /** What is needed to look into the tree of the checkpoint nearest to an entry. */
  const look = async (text: string, seq: number | null) => {
    const run = await findRun(db, text);
    const signal = AbortSignal.timeout(patienceMs);
    const { place, checkpoint } = await checkpointAt(db, run, seq);
    const { base, repository } = await planOf(db, run.id);
    const mirror = await parts.mirrorOf(repository, signal);
    return { run, signal, place, checkpoint, base, mirror };
  };

  return {
    async diffAt(text, { seq, from }) {
      const { run, signal, place, checkpoint, base, mirror } = await look(text, seq);
      const earlier = from === 'base' ? null : await checkpointAt(db, run, from);
      const { text: shown, truncated } = await diffOfTrees(mirror, {
        base,
        signal,
        maxBytes: maxDiffBytes,
        saved: await savedTree(blobs, checkpoint.data.blob, checkpoint.data.proposalTree),
        from:
          earlier === null
            ? null
            : await savedTree(blobs, earlier.checkpoint.data.blob, earlier.checkpoint.data.proposalTree),
      });
      return { place, from: earlier?.place ?? null, text: shown, truncated };
    },
    async filesAt(text, { seq, path }) {
      const folder = checkedPath(path);
      const { run, signal, place, checkpoint, base, mirror } = await look(text, seq);
      const { tree, blob } = checkpoint.data;
      const saved = await savedTree(blobs, blob, tree);
      const { entries, truncated } = await folderOf(mirror, {
        base,
        signal,
        saved,
        path: folder,
        most: maxEntries,
      });
      return {
        schema: 'berth.files/v1',
        run: run.id,
        ...place,
        tree,
        path: folder,
        entries: [...entries],
        truncated,
      };
    },
    async fileAt(text, { seq, path }) {
      const wanted = checkedPath(path);
      if (wanted === '') throw new BerthError('USAGE', 'A file needs a path.');
      const { signal, place, checkpoint, base, mirror } = await look(text, seq);
      const saved = await savedTree(blobs, checkpoint.data.blob, checkpoint.data.tree);
      const bytes = await fileOf(mirror, { base, signal, saved, path: wanted, maxBytes: maxFileBytes });
      return { place, bytes };
    },
  };
}

/**
 * The newest checkpoint at or before an entry (null: the newest of all), and what lies between.
 * @throws BerthError `CHECKPOINT_NONE`
 */
export async function checkpointAt(
  db: Database,
  run: RunRecord,
  seq: number | null,
): Promise<{ readonly place: CheckpointPlace; readonly checkpoint: SavedCheckpoint }> {
  const wanted = Math.min(seq ?? run.head.seq, run.head.seq);
  const [found] = await readEvents(db, run.id, {
    types: ['checkpoint.saved'],
    beforeSeq: wanted + 1,
    limit: 1,
    last: true,
  });
  if (found?.type !== 'checkpoint.saved') {
    throw new BerthError(
      'CHECKPOINT_NONE',
      `The run ${run.id} has no checkpoint at or before entry ${wanted}.`,
    );
  }
  const { seq: checkpointSeq, at } = found;
  return { checkpoint: found, place: { seq: wanted, checkpointSeq, at, between: wanted - checkpointSeq } };
}

/** Repository and pinned base of a run: both stand in its first entries. */
export async function planOf(
  db: Database,
  runId: string,
): Promise<{ readonly base: string; readonly ref: string; readonly repository: string }> {
  const entries = await readEvents(db, runId, { types: ['run.created', 'run.planned'] });
  const created = entries.find((entry) => entry.type === 'run.created');
  const planned = entries.findLast((entry) => entry.type === 'run.planned');
  if (created?.type !== 'run.created' || planned?.type !== 'run.planned') {
    throw new BerthError('CHECKPOINT_NONE', `The run ${runId} is not planned yet.`);
  }
  const { commit, ref } = planned.data.base;
  return { base: commit, ref, repository: created.data.repository };
}

async function savedTree(blobs: Blobs, blob: string, tree: string): Promise<SavedTree> {
  return { tree, pack: await blobs.get(blob) };
}

/**
 * A path within a tree, in its one form. Paths only name entries of git trees and never files of this machine; what
 * cannot be one is refused all the same.
 * @throws BerthError `USAGE`
 */
export function checkedPath(path: string): string {
  const plain = path.replace(/\/+$/, '');
  const parts = plain.split('/');
  const isWrong =
    plain.length > 4_096 ||
    /\p{Cc}/u.test(plain) ||
    !plain.isWellFormed() ||
    (plain !== '' && parts.some((part) => part === '' || part === '.' || part === '..'));
  if (isWrong) throw new BerthError('USAGE', 'path: wanted is a path below the root, without . and ..');
  return plain;
}
