/** Bytes too large for the database: outputs over 8 KiB, packs, checkpoints. Content-addressed. */
export interface Blobs {
  /** Stores the bytes and returns their key (`sha256-<64 hex>`). Idempotent; durable once resolved. */
  put(data: Uint8Array | AsyncIterable<Uint8Array>): Promise<string>;
  /** The bytes under `key`. @throws BerthError `BLOB_MISSING` */
  get(key: string): Promise<Uint8Array>;
  /** The same as a stream of chunks, for what should not be held in memory. */
  stream(key: string): AsyncIterable<Uint8Array>;
  /** Removes the bytes for good; unknown keys are fine. Absent: this store keeps everything. */
  remove?(key: string): Promise<void>;
}
