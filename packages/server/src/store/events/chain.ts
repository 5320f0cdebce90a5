import { createHash } from 'node:crypto';
import { canonicalJson } from './storable.ts';

/** The end of a log: how many entries, and the hash of the last. */
export interface LogHead {
  readonly seq: number;
  readonly hash: string;
}

export interface ChainedEntry {
  readonly runId: string;
  readonly seq: number;
  readonly type: string;
  readonly version: number;
  /** RFC 3339 with milliseconds, UTC. */
  readonly at: string;
  readonly payloadHash: string;
  readonly prevHash: string;
}

/** Head of a log without entries; differs from run to run, so that entries cannot move between runs. */
export function emptyHead(runId: string): LogHead {
  return { seq: 0, hash: sha256(`berth-log-1\n${runId}`) };
}

export function payloadHash(data: unknown): string {
  return sha256(canonicalJson(data));
}

/** Covers every field of the entry, the payload by its hash alone: contents can be erased, the chain stays valid. */
export function entryHash(entry: ChainedEntry): string {
  const { runId, seq, type, version, at, payloadHash: payload, prevHash } = entry;
  return sha256(JSON.stringify(['berth-event-1', runId, seq, type, version, at, payload, prevHash]));
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
