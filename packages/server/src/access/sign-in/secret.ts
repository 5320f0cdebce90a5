import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';

/** 256 random bits as text that may stand in cookies and addresses. */
export function newSecret(): string {
  return randomBytes(32).toString('base64url');
}

/**
 * What the database keeps of a secret. A plain SHA-256 is enough: the secrets are random, not chosen by people. Being
 * looked up by its hash, a known and an unknown one take the same way.
 */
export function hashSecret(secret: string): string {
  return createHash('sha256').update(secret).digest('hex');
}

/** Compares in constant time, whatever the lengths. */
export function sameSecret(one: string, other: string): boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(one), digest(other));
}
