import { encodeRecordHeader, recordHeaderBytes } from '@berth/protocol';
import type { RecordKind } from '@berth/protocol';
import { OutputEnd } from './output-end.ts';
import type { Spool } from './spool.ts';

const segmentBytes = 256 * 1024;
/** Unacknowledged output of one call that may stay in memory. */
const callMemoryBytes = 1024 * 1024;
const firstBytes = 4 * 1024;

interface Segment {
  readonly start: number;
  end: number;
  /** Null when it lies in the spool. */
  memory: Buffer | null;
  spooled: string | null;
}

export interface OutputLimits {
  readonly maxOutputBytes: number;
  readonly overflow: 'truncate' | 'block';
}

/** A reader's place; what lies behind the slowest one is kept even when it was acknowledged. */
export interface LogReader {
  offset: number;
}

/**
 * The output of one call: an append-only sequence of records with u64 offsets, kept until it is acknowledged. At most
 * 1 MiB stays in memory, the rest goes to the spool; when that is full the output is cut or the command waits.
 */
export class OutputLog {
  readonly #spool: Spool;
  readonly #limits: OutputLimits;
  readonly #last: OutputEnd;
  readonly #segments: Segment[] = [];
  readonly #readers = new Set<LogReader>();
  #waiting = new Set<() => void>();
  #base = 0;
  #end = 0;
  #acknowledged = 0;
  #outputBytes = 0;
  #memoryBytes = 0;
  #truncated = false;
  #finished = false;
  #delivered = false;

  constructor(spool: Spool, limits: OutputLimits) {
    this.#spool = spool;
    this.#limits = limits;
    this.#last = new OutputEnd(limits.maxOutputBytes);
  }

  /** The oldest offset that can still be read. */
  get base(): number {
    return this.#base;
  }

  get end(): number {
    return this.#end;
  }

  get truncated(): boolean {
    return this.#truncated;
  }

  get finished(): boolean {
    return this.#finished;
  }

  /** Whether the producer must wait for an acknowledgement before it appends more. */
  get full(): boolean {
    if (this.#limits.overflow === 'truncate') return false;
    if (this.#end - this.#base > Math.max(this.#limits.maxOutputBytes, recordHeaderBytes)) return true;
    return this.#noRoom;
  }

  /** Memory is over its limit although finished segments went, or tried to go, to the spool. */
  get #noRoom(): boolean {
    return this.#memoryBytes > callMemoryBytes + segmentBytes;
  }

  /** Adds output of the command. Of what is more than may be kept only the end is, until the call is finished. */
  append(kind: 'stdout' | 'stderr', data: Buffer): void {
    if (this.#finished || data.length === 0) return;
    const kept = data.subarray(0, this.#roomBeforeEnd);
    this.#outputBytes += kept.length;
    if (kept.length > 0) this.#write(kind, kept);
    this.#keepEnd(kind, data.subarray(kept.length));
    this.#changed();
  }

  /** Adds the end of an output that was too long, and the exit record; nothing follows it. */
  finish(exit: Buffer): void {
    if (this.#finished) return;
    this.#finished = true;
    for (const { kind, data } of this.#last.take()) this.#write(kind, data);
    this.#write('exit', exit);
    this.#changed();
  }

  /** Gives up what lies before `offset`, as far as no reader still needs it. */
  acknowledge(offset: number): void {
    if (offset > this.#end) return;
    this.#acknowledged = Math.max(this.#acknowledged, offset);
    this.#release();
  }

  /** Whether a reader has had all of it, the exit record included. */
  get delivered(): boolean {
    return this.#delivered;
  }

  addReader(offset: number): LogReader {
    const reader = { offset };
    this.#readers.add(reader);
    return reader;
  }

  removeReader(reader: LogReader): void {
    this.#readers.delete(reader);
    this.#release();
  }

  /** Moves a reader on, so that what it has read can go. */
  advance(reader: LogReader, offset: number): void {
    reader.offset = offset;
    if (this.#finished && offset === this.#end) this.#delivered = true;
    if (this.#acknowledged > this.#base) this.#release();
  }

  /** The bytes from `offset` to the end of its segment, or null at the end of the log. */
  read(offset: number): Buffer | null {
    const segment = this.#segments.find((one) => offset >= one.start && offset < one.end);
    if (segment === undefined) return null;
    const bytes = segment.memory ?? this.#spool.read(segment.spooled!);
    return bytes.subarray(offset - segment.start, segment.end - segment.start);
  }

  /** Resolves at the next append, acknowledgement or `wake`. */
  change(): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.add(resolve);
    });
  }

  wake(): void {
    this.#changed();
  }

  /** Frees everything. */
  drop(): void {
    this.#finished = true;
    this.#last.take();
    for (const segment of this.#segments.splice(0)) this.#free(segment);
    this.#base = this.#end;
    this.#changed();
  }

  /** How much can be written before what only counts when it is the end. */
  get #roomBeforeEnd(): number {
    if (this.#limits.overflow === 'block') return Infinity;
    if (this.#noRoom || !this.#last.isEmpty) return 0;
    return Math.max(0, this.#limits.maxOutputBytes - this.#last.bytes - this.#outputBytes);
  }

  #keepEnd(kind: 'stdout' | 'stderr', data: Buffer): void {
    this.#last.add(kind, data);
    if (this.#truncated || !this.#last.cut) return;
    this.#truncated = true;
    this.#write('truncated', Buffer.alloc(0));
  }

  #write(kind: RecordKind, data: Buffer): void {
    const header = encodeRecordHeader(kind, data.length);
    const need = header.length + data.length;
    let segment = this.#segments.at(-1);
    if (
      segment === undefined ||
      segment.memory === null ||
      segment.end - segment.start + need > segmentBytes
    ) {
      if (segment !== undefined) this.#seal(segment);
      segment = {
        start: this.#end,
        end: this.#end,
        memory: Buffer.allocUnsafeSlow(Math.max(firstBytes, need)),
        spooled: null,
      };
      this.#segments.push(segment);
      this.#count(segment.memory!.length);
    }
    const used = segment.end - segment.start;
    if (used + need > segment.memory!.length) this.#grow(segment, used + need);
    header.copy(segment.memory!, used);
    data.copy(segment.memory!, used + header.length);
    segment.end += need;
    this.#end += need;
  }

  #grow(segment: Segment, need: number): void {
    const old = segment.memory!;
    const larger = Buffer.allocUnsafeSlow(Math.min(segmentBytes, Math.max(need, old.length * 4)));
    old.copy(larger, 0, 0, segment.end - segment.start);
    segment.memory = larger;
    this.#count(larger.length - old.length);
  }

  /** A segment that takes no more goes to the spool when memory is used up. */
  #seal(segment: Segment): void {
    if (
      segment.memory === null ||
      (this.#memoryBytes <= callMemoryBytes - segmentBytes && !this.#spool.memoryFull)
    )
      return;
    const bytes = segment.memory.subarray(0, segment.end - segment.start);
    const name = this.#spool.write(bytes);
    if (name === null) return;
    this.#count(-segment.memory.length);
    segment.memory = null;
    segment.spooled = name;
  }

  #release(): void {
    let keep = this.#acknowledged;
    for (const reader of this.#readers) keep = Math.min(keep, reader.offset);
    if (keep <= this.#base) return;
    this.#base = keep;
    while (this.#segments.length > 0 && this.#segments[0]!.end <= keep) {
      // The last segment is still written to until the call is finished.
      if (this.#segments.length === 1 && !this.#finished && this.#segments[0]!.memory !== null) break;
      this.#free(this.#segments.shift()!);
    }
    this.#changed();
  }

  #free(segment: Segment): void {
    if (segment.memory !== null) this.#count(-segment.memory.length);
    if (segment.spooled !== null) this.#spool.remove(segment.spooled);
  }

  #count(bytes: number): void {
    this.#memoryBytes += bytes;
    this.#spool.countMemory(bytes);
  }

  #changed(): void {
    const waiting = this.#waiting;
    this.#waiting = new Set();
    for (const resolve of waiting) resolve();
  }
}
