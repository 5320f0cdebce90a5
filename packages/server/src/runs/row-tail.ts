import { isVisible, type VisibleProjects } from '../domain/access.ts';
import { BerthError } from '../domain/errors/index.ts';
import type { ChangedRow } from '../domain/ports/live-reading.ts';
import type { Database } from '../store/database.ts';
import { type ChangedRun, type ChangePosition, readChanges } from '../store/runs/read-changes.ts';
import { isUnavailable } from '../store/unavailable.ts';
import { runRow } from './rows.ts';

/** Changes that are kept in memory while somebody follows the list. */
const kept = 512;
const pageSize = 200;

interface Answer {
  readonly rows: readonly ChangedRow[];
  readonly position: string;
}

/** The newest changes among the rows of runs, shared by all who follow them: what is new is read once. */
export class RowTail {
  readonly #db: Database;
  /** Where the kept changes begin (exclusive), and how far was read. */
  #from: ChangePosition | null = null;
  #to: ChangePosition | null = null;
  #changes: ChangedRun[] = [];
  #isStale = true;
  #reading: Promise<void> | null = null;

  constructor(db: Database) {
    this.#db = db;
  }

  /** Rows may have changed. */
  ring(): void {
    this.#isStale = true;
  }

  /** Nobody follows any more: what is kept would only grow old. */
  forget(): void {
    this.#from = null;
    this.#to = null;
    this.#changes = [];
    this.#isStale = true;
  }

  /** @throws BerthError `CURSOR_INVALID` */
  async after(position: string | null, visible: VisibleProjects): Promise<Answer> {
    const after = position === null ? null : parsePosition(position);
    try {
      return await this.#after(after, visible);
    } catch (error) {
      if (!isUnavailable(error) || position === null) throw error;
      this.#isStale = true;
      return { rows: [], position };
    }
  }

  async #after(after: ChangePosition | null, visible: VisibleProjects): Promise<Answer> {
    if (after === null || this.#from === null || isBefore(after, this.#from)) {
      const { runs, position } = await readChanges(this.#db, { after, visible, limit: pageSize });
      if (this.#from === null) {
        this.#from = position;
        this.#to = position;
      }
      return { rows: runs.map(changedRow), position: positionText(position) };
    }
    if (this.#isStale) {
      this.#reading ??= this.#refresh().finally(() => {
        this.#reading = null;
      });
      await this.#reading;
    }
    const to = this.#to ?? after;
    // The kept changes may have moved past whoever asked.
    if (isBefore(after, this.#from)) return { rows: [], position: positionText(after) };
    const newer = this.#changes.filter((change) => isBefore(after, change.position));
    const some = newer.slice(0, pageSize);
    const seen = some.filter((change) => isVisible(visible, change.record.projectId));
    const upTo = newer.length > some.length ? some.at(-1)!.position : isBefore(after, to) ? to : after;
    return { rows: seen.map(changedRow), position: positionText(upTo) };
  }

  async #refresh(): Promise<void> {
    this.#isStale = false;
    const { runs, position } = await readChanges(this.#db, {
      after: this.#to,
      visible: 'all',
      limit: pageSize,
    });
    if (runs.length === pageSize) this.#isStale = true;
    const again = new Set(runs.map((run) => run.record.id));
    // An older change of the same row is no news any more: its row is as it is now in the newer one.
    this.#changes = [...this.#changes.filter((change) => !again.has(change.record.id)), ...runs];
    this.#to = position;
    const surplus = this.#changes.length - kept;
    if (surplus > 0) this.#from = this.#changes.splice(0, surplus).at(-1)!.position;
  }
}

/** Made once for all who follow: a change is kept as one object, and each of its readers is sent the same. */
const shown = new WeakMap<ChangedRun, ChangedRow>();

function changedRow(change: ChangedRun): ChangedRow {
  const known = shown.get(change);
  if (known !== undefined) return known;
  const made = { row: runRow(change), position: positionText(change.position) };
  shown.set(change, made);
  return made;
}

function isBefore(one: ChangePosition, other: ChangePosition): boolean {
  const [left, right] = [one.transaction, other.transaction];
  if (left === right) return one.id < other.id;
  // Numbers without leading zeros, compared as text: each follower compares hundreds of them several times a second.
  return left.length === right.length ? left < right : left.length < right.length;
}

function positionText({ transaction, id }: ChangePosition): string {
  return `${transaction}.${id}`;
}

function parsePosition(text: string): ChangePosition {
  const read = /^(\d{1,18})\.([a-z0-9-]{1,80}|~)$/.exec(text);
  if (read === null) throw new BerthError('CURSOR_INVALID');
  return { transaction: String(BigInt(read[1]!)), id: read[2]! };
}
