import { openAudit, type Audit } from '../audit/open-audit.ts';
import type { OpenConfig } from '../config/open-config.ts';
import { durationMs } from '../domain/config/index.ts';
import type { BerthError } from '../domain/errors/index.ts';
import type { ReadSecret } from '../secrets/read-secret.ts';
import type { Database } from '../store/database.ts';
import type { Log } from '../telemetry/log.ts';

/**
 * Opens the record of acts with what the configuration says of it. The key is read once; how long entries are kept is
 * asked anew each round.
 * @throws BerthError `AUDIT_KEY_UNUSABLE`, `SECRET_MISSING`, `SECRET_UNAVAILABLE`
 */
export async function openRecord(on: {
  readonly db: Database;
  readonly home: string;
  readonly readSecret: ReadSecret;
  readonly signal: AbortSignal;
  readonly redact: (value: unknown) => unknown;
  readonly config: OpenConfig;
  readonly log: Log;
  readonly onProgress: (sentence: string) => void;
}): Promise<Audit> {
  const { db, home, readSecret, signal, redact, config, log, onProgress } = on;
  const { signingKey } = config.current().config.audit;
  return openAudit(db, {
    home,
    redact,
    ...(signingKey === undefined ? {} : { signingKey: await readSecret(signingKey, signal) }),
    keepForMs() {
      const { keepFor } = config.current().config.audit;
      return keepFor === undefined ? null : durationMs(keepFor);
    },
    onSeal: ({ number, to, count, hash, keyId, signature }) =>
      log.info('record sealed', { number, to, count, hash, keyId, signature }),
    onError(error: BerthError) {
      log.error('record of acts', { error });
      onProgress(`${error.code}: ${error.message}`);
    },
  });
}
