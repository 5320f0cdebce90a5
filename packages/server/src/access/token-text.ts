import { createHash, randomBytes } from 'node:crypto';
import { crc32 } from 'node:zlib';

const alphabet = '0123456789abcdefghjkmnpqrstvwxyz';
/** 52 characters of 5 bits carry 256 random bits, and 4 more that are random too. */
const secretCharacters = 52;
const checkCharacters = 6;

/** What a secret scanner looks for. */
export const tokenPattern =
  /^berth_([0-9a-hjkmnp-tv-z]{16})_([0-9a-hjkmnp-tv-z]{52})([0-9a-hjkmnp-tv-z]{6})$/;

/** A new secret for a token, and its whole text: `berth_<id>_<secret><checksum>`. */
export function newTokenText(id: string): { readonly text: string; readonly hash: Buffer } {
  const secret = Array.from(randomBytes(secretCharacters), (byte) => alphabet[byte % 32]!).join('');
  const place = id.replace(/^k-/, '');
  const text = `berth_${place}_${secret}${checkOf(place, secret)}`;
  return { text, hash: hashOf(secret) };
}

/**
 * Id and hash of what a header carries; null where it cannot be a token of ours, mistyped or cut off. No look into
 * the database is needed for that.
 */
export function readTokenText(text: string): { readonly id: string; readonly hash: Buffer } | null {
  const [, place, secret, check] = tokenPattern.exec(text) ?? [];
  if (place === undefined || secret === undefined || check !== checkOf(place, secret)) return null;
  return { id: `k-${place}`, hash: hashOf(secret) };
}

/** A secret of 256 random bits cannot be guessed from its hash: no slow hash is needed. */
function hashOf(secret: string): Buffer {
  return createHash('sha256').update(secret).digest();
}

/** Against mistakes, not against attackers. */
function checkOf(place: string, secret: string): string {
  let rest = crc32(`${place}_${secret}`);
  let text = '';
  for (let index = 0; index < checkCharacters; index += 1) {
    text = alphabet[rest % 32]! + text;
    rest = Math.floor(rest / 32);
  }
  return text;
}
