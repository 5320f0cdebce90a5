import { randomBytes } from 'node:crypto';

const alphabet = '0123456789abcdefghjkmnpqrstvwxyz';

/**
 * A new id (project, task, run, sandbox, worker, message, call, inbox entry, token (k), session (n), gate, campaign (v),
 * delivery (d), act): prefix, eight characters of time (so ids sort by age), eight random ones (40 bits). Lower-case
 * Crockford base 32: no letters that are mistaken for digits, safe in paths, branches and labels.
 */
export function newId(
  prefix: 'p' | 't' | 'r' | 's' | 'w' | 'm' | 'c' | 'i' | 'k' | 'n' | 'g' | 'v' | 'd' | 'a',
  nowMs: number,
): string {
  let time = '';
  for (let rest = Math.floor(nowMs), place = 0; place < 8; place += 1, rest = Math.floor(rest / 32)) {
    time = alphabet[rest % 32]! + time;
  }
  const random = Array.from(randomBytes(8), (byte) => alphabet[byte % 32]!).join('');
  return `${prefix}-${time}${random}`;
}
