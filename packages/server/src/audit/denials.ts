import type { AuditAct } from '../domain/ports/audit.ts';

/** Denials of one principal, action, object and code within this time are one row. */
export const denialWindowMs = 60_000;
/** Rows that one principal, and all together, can open in that time; beyond it objects, then principals, are merged. */
const bucketsOfOne = 100;
const bucketsOfAll = 1_000;
const overflowBuckets = 200;
const rememberedTexts = 10;

interface Bucket {
  readonly act: AuditAct;
  readonly openedMs: number;
  count: number;
  readonly firstMs: number;
  lastMs: number;
  /** Some of what differs between them. */
  readonly addresses: Set<string>;
  readonly objects: Set<string>;
}

/** A row to be, with how many denials it stands for. */
export interface AggregatedDenial {
  readonly act: AuditAct;
  readonly atMs: number;
}

/**
 * Counts denials in memory, bounded however many there are and however different: beyond the bounds a principal's
 * objects become one (`*`), then everybody's.
 */
export class Denials {
  #buckets = new Map<string, Bucket>();
  readonly #ofPrincipal = new Map<string, number>();
  #overflows = 0;

  get size(): number {
    return this.#buckets.size;
  }

  /** @param nowMs monotonic; @param atMs wall clock */
  add(act: AuditAct, nowMs: number, atMs: number): void {
    const bucket = this.#bucketFor(act, nowMs, atMs);
    bucket.count += countOf(act);
    bucket.lastMs = atMs;
    remember(bucket.addresses, act.from.address);
    remember(bucket.objects, act.object.id);
  }

  /** What is due at `nowMs`, taken out; everything where `all` is set. */
  take(nowMs: number, all = false): AggregatedDenial[] {
    const due: AggregatedDenial[] = [];
    for (const [key, bucket] of this.#buckets) {
      if (!all && nowMs - bucket.openedMs < denialWindowMs) continue;
      this.#remove(key, bucket);
      due.push({ act: withCount(bucket), atMs: bucket.firstMs });
    }
    return due;
  }

  #bucketFor(act: AuditAct, nowMs: number, atMs: number): Bucket {
    const own = keyOf(act);
    const found = this.#buckets.get(own);
    if (found !== undefined) return found;
    const hasRoom = this.#buckets.size < bucketsOfAll && (this.#ofPrincipal.get(act.by) ?? 0) < bucketsOfOne;
    if (hasRoom) {
      this.#ofPrincipal.set(act.by, (this.#ofPrincipal.get(act.by) ?? 0) + 1);
      return this.#open(own, act, nowMs, atMs);
    }
    const merged: AuditAct = { ...act, object: { ...act.object, id: '*', projectId: null } };
    const nobody: AuditAct = {
      ...merged,
      by: '*',
      byKind: 'unknown',
      tokenId: null,
      action: '*.*',
      object: { kind: '*', id: '*', projectId: null },
    };
    for (const one of [merged, nobody]) {
      const key = `overflow\n${keyOf(one)}`;
      const open = this.#buckets.get(key);
      if (open !== undefined) return open;
      if (one === nobody || this.#overflows < overflowBuckets) {
        this.#overflows += 1;
        return this.#open(key, one, nowMs, atMs);
      }
    }
    throw new Error('the last bucket takes everything');
  }

  #open(key: string, act: AuditAct, nowMs: number, atMs: number): Bucket {
    const bucket: Bucket = {
      act,
      openedMs: nowMs,
      count: 0,
      firstMs: atMs,
      lastMs: atMs,
      addresses: new Set(),
      objects: new Set(),
    };
    this.#buckets.set(key, bucket);
    return bucket;
  }

  #remove(key: string, bucket: Bucket): void {
    this.#buckets.delete(key);
    if (key.startsWith('overflow\n')) {
      this.#overflows -= 1;
      return;
    }
    const left = (this.#ofPrincipal.get(bucket.act.by) ?? 1) - 1;
    if (left === 0) this.#ofPrincipal.delete(bucket.act.by);
    else this.#ofPrincipal.set(bucket.act.by, left);
  }
}

/** One that could not be written comes back with its count. */
function countOf(act: AuditAct): number {
  const count = act.details['count'];
  return typeof count === 'number' ? count : 1;
}

function keyOf({ by, action, object, code }: AuditAct): string {
  // The bucket for all must be one, whatever the codes.
  return JSON.stringify(by === '*' ? [by] : [by, action, object.kind, object.id, code]);
}

function remember(texts: Set<string>, text: string | null): void {
  if (text !== null && texts.size < rememberedTexts) texts.add(text.slice(0, 200));
}

function withCount({ act, count, firstMs, lastMs, addresses, objects }: Bucket): AuditAct {
  return {
    ...act,
    details: {
      ...act.details,
      count,
      first: new Date(firstMs).toISOString(),
      last: new Date(lastMs).toISOString(),
      ...(addresses.size > 1 ? { addresses: [...addresses] } : {}),
      ...(act.object.id === '*' ? { someObjects: [...objects] } : {}),
    },
  };
}
