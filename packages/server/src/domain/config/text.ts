import { z } from 'zod';
import { secretReferencePattern } from '../secret-reference.ts';

/** Name of a project, group, schedule …: what stands in addresses, commands and columns. */
export const nameSchema = z
  .string()
  .regex(/^[a-z0-9]([a-z0-9._-]{0,61}[a-z0-9])?$/, 'lower-case letters, digits, . _ and - (1 to 63)');

/**
 * A value that may stand for something secret: `${env:NAME}`, `${file:/absolute/path}`, `${kubernetes:/mount/key}` or
 * `${op:vault/item/field}`, and nothing else. Secrets are only ever written as references; what they point to is read
 * when it is needed and never stored.
 */
export const secretReferenceSchema = z
  .string()
  .max(4_096)
  .regex(
    secretReferencePattern,
    'a reference: ${env:NAME}, ${file:/path}, ${kubernetes:/mount/key} or ${op:vault/item/field}',
  );

/** `90s`, `30m`, `12h`, `7d`; at least a second, at most a year. */
export const durationSchema = z
  .string()
  .regex(/^[1-9]\d{0,5}(s|m|h|d)$/, 'a duration such as 90s, 30m, 12h or 7d');

const unitsMs = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** Milliseconds of a text that `durationSchema` took. */
export function durationMs(text: string): number {
  const unit = text.slice(-1) as keyof typeof unitsMs;
  return Number(text.slice(0, -1)) * unitsMs[unit];
}
