import type { KeyObject } from 'node:crypto';
import { asBerthError, type BerthError } from '../domain/errors/index.ts';
import type { AuditReader, AuditSink } from '../domain/ports/audit.ts';
import type { Database } from '../store/database.ts';
import { exportActs } from './export-acts.ts';
import { headsPath } from './heads.ts';
import { listActs } from './list-acts.ts';
import { startSealer } from './sealer.ts';
import type { Seal } from './seal.ts';
import { readOrMakeKey, retiredKeys, signingKeyOf } from './signing-key.ts';
import { auditSink } from './sink.ts';
import { verifyAudit, verifyOneRun } from './verify/verify-audit.ts';

export interface OpenAuditOptions {
  /** `$BERTH_HOME`: the key and the heads file are there. */
  readonly home: string;
  readonly redact: (value: unknown) => unknown;
  /** PEM of `audit.signingKey`; without it the key of the data directory, made when there is none. */
  readonly signingKey?: string;
  /** Milliseconds of `audit.keepFor`, asked anew each round; null: kept for ever. */
  readonly keepForMs?: () => number | null;
  /** Each head once it is durable: for the process log. */
  readonly onSeal?: (head: Pick<Seal, 'number' | 'to' | 'count' | 'hash' | 'keyId' | 'signature'>) => void;
  readonly onError?: (error: BerthError) => void;
  /** Between two seals; ten seconds unless a test wants it otherwise. */
  readonly sealEveryMs?: number;
}

/** The open record of acts. */
export interface Audit {
  readonly sink: AuditSink;
  readonly reader: AuditReader;
  readonly publicKey: KeyObject;
  /** Writes denials held back, and seals what is settled; false when another replica has the right to. */
  sealNow(): Promise<boolean>;
  /** Writes what is held back, seals a last time. */
  stop(): Promise<void>;
}

/**
 * Opens the record and starts its sealer.
 * @throws BerthError `AUDIT_KEY_UNUSABLE`, `DATABASE_UNAVAILABLE`
 */
export async function openAudit(db: Database, options: OpenAuditOptions): Promise<Audit> {
  const { home, redact } = options;
  const onError = options.onError ?? (() => undefined);
  const key =
    options.signingKey === undefined
      ? await readOrMakeKey(home)
      : signingKeyOf(options.signingKey, 'audit.signingKey');
  const publicKeys = [key.publicKey, ...(await retiredKeys(home))];
  const sink = auditSink(db, { redact, onError: (error) => onError(asBerthError(error)) });
  const sealer = startSealer(db, {
    key,
    headsPath: headsPath(home),
    onSeal: options.onSeal ?? (() => undefined),
    onError,
    keepForMs: options.keepForMs ?? (() => null),
    onCut: (cut, before) => onRecord(sink, cut, before),
    ...(options.sealEveryMs === undefined ? {} : { everyMs: options.sealEveryMs }),
  });
  return {
    sink,
    publicKey: key.publicKey,
    reader: {
      list: (filter) => listActs(db, filter),
      export: (filter, signal) => exportActs(db, filter, publicKeys, signal),
      verify: (signal) => verifyAudit(db, { publicKeys, heads: headsPath(home), signal }),
      verifyRun: (runId) => verifyOneRun(db, runId, { publicKeys }),
    },
    async sealNow() {
      await sink.flushDenials();
      return sealer.sealNow();
    },
    async stop() {
      await sink.stop();
      await sealer.stop();
    },
  };
}

/** A cut is an act like any other: on record before it happens. */
async function onRecord(
  sink: AuditSink,
  cut: () => Promise<Readonly<Record<string, unknown>>>,
  before: string,
): Promise<void> {
  const act = await sink.begin({
    by: 'retention',
    byKind: 'system',
    tokenId: null,
    via: 'system',
    action: 'audit.cut',
    object: { kind: 'audit', id: 'entries', projectId: null },
    from: { address: null, agent: null },
    requestId: null,
    details: { before },
  });
  const details = await cut().catch(async (error: unknown) => {
    await act.end({ result: 'failed', code: asBerthError(error).code });
    throw error;
  });
  await act.end({ result: 'allowed', code: null, details });
}
