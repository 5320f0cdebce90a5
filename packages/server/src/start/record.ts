import { openAudit, type Audit } from '../audit/open-audit.ts';
import type { OpenConfig } from '../config/open-config.ts';
import { referenceOf } from '../config/references.ts';
import { durationMs } from '../domain/config/index.ts';
import type { BerthError } from '../domain/errors/index.ts';
import { resolveSecret } from '../secrets/resolve-secret.ts';
import type { Database } from '../store/database.ts';
import type { Log } from '../telemetry/log.ts';

/**
 * Opens the record of acts with what the configuration says of it. The key is read once; how long entries are kept is
 * asked anew each round.
 * @throws BerthError `AUDIT_KEY_UNUSABLE`, `SECRET_MISSING`
 */
export async function openRecord(on: {
  readonly db: Database;
  readonly home: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly redact: (value: unknown) => unknown;
  readonly config: OpenConfig;
  readonly log: Log;
  readonly onProgress: (sentence: string) => void;
}): Promise<Audit> {
  const { db, home, env, redact, config, log, onProgress } = on;
  const { signingKey } = config.current().config.audit;
  return openAudit(db, {
    home,
    redact,
    ...(signingKey === undefined ? {} : { signingKey: await resolveSecret(referenceOf(signingKey), env) }),
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
