import { BerthError } from '../../domain/errors/index.ts';
import { eventTypes, type NewEvent, type StoredEvent } from '../../domain/events/index.ts';
import type { Blobs } from '../../domain/ports/blobs.ts';
import { entryHash, payloadHash, type LogHead } from './chain.ts';
import { toStorable } from './storable.ts';

/** Payloads whose JSON is longer go to the blob store. */
export const longestInlineBytes = 8 * 1024;

/** Takes secrets out of a payload before it is stored. */
export type Redact = (value: unknown) => unknown;

export interface PreparedRow {
  readonly seq: number;
  readonly type: string;
  readonly version: number;
  readonly at: string;
  readonly payloadHash: string;
  readonly prevHash: string;
  readonly hash: string;
  /** JSON text, or null when the payload is in the blob store. */
  readonly data: string | null;
  readonly blob: string | null;
}

/** Events ready to be stored. Committing the same preparation twice stores it once. */
export interface PreparedAppend {
  readonly runId: string;
  readonly from: LogHead;
  readonly to: LogHead;
  readonly rows: readonly PreparedRow[];
  readonly stored: readonly StoredEvent[];
}

/**
 * Redacts, checks, chains and, where too long for the database, spills `events`, to follow after `from`.
 * @throws BerthError `EVENT_INVALID`
 */
export async function prepareAppend(input: {
  readonly runId: string;
  readonly from: LogHead;
  readonly events: readonly NewEvent[];
  readonly atMs: number;
  readonly redact: Redact;
  readonly blobs: Blobs;
}): Promise<PreparedAppend> {
  const { runId, from, events, redact, blobs } = input;
  const at = new Date(input.atMs).toISOString();
  const rows: PreparedRow[] = [];
  const stored: StoredEvent[] = [];
  let head = from;
  for (const event of events) {
    const data = checked(event, toStorable(redact(event.data)));
    const chained = {
      runId,
      seq: head.seq + 1,
      type: event.type,
      version: eventTypes[event.type].version,
      at,
      payloadHash: payloadHash(data),
      prevHash: head.hash,
    };
    const hash = entryHash(chained);
    const text = JSON.stringify(data);
    const isLong = Buffer.byteLength(text) > longestInlineBytes;
    rows.push({
      ...chained,
      hash,
      data: isLong ? null : text,
      blob: isLong ? await blobs.put(Buffer.from(text)) : null,
    });
    stored.push({ type: event.type, data, runId, seq: chained.seq, at } as StoredEvent);
    head = { seq: chained.seq, hash };
  }
  return { runId, from, to: head, rows, stored };
}

function checked(event: NewEvent, data: unknown): unknown {
  const parsed = eventTypes[event.type].data.safeParse(data);
  if (parsed.success) return toStorable(parsed.data);
  throw new BerthError('EVENT_INVALID', `An event ${event.type} does not have the shape of its type.`, {
    cause: parsed.error,
    details: {
      type: event.type,
      issues: parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`),
    },
  });
}
