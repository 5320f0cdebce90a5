import { hkdfSync, type KeyObject } from 'node:crypto';

/**
 * 32 bytes that every process with the installation's internal key can make again, and nobody else. Another purpose
 * gives other bytes.
 */
export function deriveSecret(key: KeyObject, purpose: string): Buffer {
  const secret = key.export({ type: 'pkcs8', format: 'der' });
  return Buffer.from(hkdfSync('sha256', secret, 'berth derived secret', purpose, 32));
}
