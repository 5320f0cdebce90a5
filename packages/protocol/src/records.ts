import { ProtocolError } from './errors.ts';
import { limits } from './limits.ts';

/**
 * The output log of a call is a sequence of records `kind u8 | length u32 | bytes`. An offset is a position in that
 * byte sequence, counted from the call's beginning; a resumable position is the end of a record.
 */
export const recordKinds = { stdout: 1, stderr: 2, exit: 3, truncated: 4 } as const;
export type RecordKind = keyof typeof recordKinds;

export const recordHeaderBytes = 5;

const kindOf: ReadonlyArray<RecordKind | undefined> = [undefined, 'stdout', 'stderr', 'exit', 'truncated'];

/** The header that goes before `length` bytes of a record. */
export function encodeRecordHeader(kind: RecordKind, length: number): Buffer {
  const header = Buffer.allocUnsafe(recordHeaderBytes);
  header[0] = recordKinds[kind];
  header.writeUInt32BE(length, 1);
  return header;
}

export interface OutputRecord {
  readonly kind: RecordKind;
  readonly offset: number;
  readonly nextOffset: number;
  readonly data: Buffer;
}

/** Decodes records from chunks of any size, holding at most one record. */
export class RecordDecoder {
  #offset: number;
  #pending: Buffer[] = [];
  #pendingBytes = 0;
  #need = recordHeaderBytes;
  #ended = false;

  /** @param offset position in the log of the first byte that will be pushed */
  constructor(offset: number) {
    this.#offset = offset;
  }

  /** @throws ProtocolError for an unknown kind, a length over the limit, or bytes after the exit record */
  *push(chunk: Buffer): Generator<OutputRecord> {
    if (this.#ended) throw new ProtocolError('output after the exit record');
    this.#pending.push(chunk);
    this.#pendingBytes += chunk.length;
    while (this.#pendingBytes >= this.#need) {
      const all = this.#pending.length === 1 ? this.#pending[0]! : Buffer.concat(this.#pending);
      this.#pending = [all];
      const kind = kindOf[all[0]!];
      const length = all.readUInt32BE(1);
      if (kind === undefined) throw new ProtocolError(`unknown output record ${all[0]}`);
      if (length > limits.recordBytes) throw new ProtocolError(`output record of ${length} bytes`);
      this.#need = recordHeaderBytes + length;
      if (all.length < this.#need) return;
      const offset = this.#offset;
      this.#offset += this.#need;
      const data = all.subarray(recordHeaderBytes, this.#need);
      const rest = all.subarray(this.#need);
      this.#pending = rest.length === 0 ? [] : [rest];
      this.#pendingBytes = rest.length;
      this.#need = recordHeaderBytes;
      if (kind === 'exit') {
        this.#ended = true;
        if (rest.length > 0) throw new ProtocolError('output after the exit record');
      }
      yield { kind, offset, nextOffset: this.#offset, data };
    }
  }
}
