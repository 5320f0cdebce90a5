import { createHash, createHmac, timingSafeEqual, type Hmac } from 'node:crypto';

/** How a hook is signed. */
export type SignatureScheme =
  | { readonly kind: 'hmac-sha256'; readonly prefix: string }
  | { readonly kind: 'timestamped' }
  | { readonly kind: 'bearer'; readonly prefix: string };

/** Time a signed delivery may be away from ours, both ways. */
export const replayWindowMs = 5 * 60_000;
/** Signatures in one header: senders give two while they change their secret. */
const mostSignatures = 4;

export interface SignatureCheck {
  update(chunk: Uint8Array): void;
  /** Ends it. `fingerprint`: of what was signed, where that holds the time. */
  end(): { readonly holds: boolean; readonly fingerprint: string | null };
}

/**
 * Checks a signature over a raw body while that arrives. What is wrong from the beginning (no header, two of them, a time
 * outside of the window) is hashed to its end like all else: how long an answer takes says nothing.
 * @param header its one value; null where there is none or more than one
 */
export function checkSignature(
  scheme: SignatureScheme,
  secret: string,
  header: string | null,
  nowMs: number,
): SignatureCheck {
  const hmac = createHmac('sha256', secret);
  switch (scheme.kind) {
    case 'hmac-sha256': {
      const given = header?.startsWith(scheme.prefix) === true ? [header.slice(scheme.prefix.length)] : [];
      return checkOf(hmac, given, true, false);
    }
    case 'timestamped': {
      const { time, signatures } = timestampedParts(header ?? '');
      const awayMs = Math.abs(nowMs - Number(time ?? Number.NaN) * 1_000);
      hmac.update(`${time ?? '0'}.`);
      return checkOf(hmac, signatures, awayMs <= replayWindowMs, true);
    }
    case 'bearer': {
      const holds =
        header?.startsWith(scheme.prefix) === true && sameText(header.slice(scheme.prefix.length), secret);
      return {
        update: (chunk) => void hmac.update(chunk),
        end: () => {
          hmac.digest();
          return { holds, fingerprint: null };
        },
      };
    }
  }
}

function checkOf(hmac: Hmac, given: readonly string[], isInTime: boolean, hasTime: boolean): SignatureCheck {
  return {
    update: (chunk) => void hmac.update(chunk),
    end() {
      const expected = hmac.digest();
      let holds = false;
      for (const one of given) {
        const isHex = /^[0-9a-fA-F]{64}$/.test(one);
        const bytes = isHex ? Buffer.from(one, 'hex') : Buffer.alloc(32);
        holds = (timingSafeEqual(bytes, expected) && isHex) || holds;
      }
      return { holds: holds && isInTime, fingerprint: hasTime ? expected.toString('hex') : null };
    },
  };
}

/** `t=1700000000,v1=hex`, each part once but signatures. A header that is anything else has no signature. */
function timestampedParts(header: string): { time: string | null; signatures: string[] } {
  const none = { time: null, signatures: [] };
  if (header.length > 500) return none;
  let time: string | null = null;
  const signatures: string[] = [];
  for (const part of header.split(',')) {
    const [name, value] = part.trim().split('=', 2) as [string, string | undefined];
    if (value === undefined) return none;
    if (name === 't') {
      if (time !== null || !/^[1-9]\d{8,11}$/.test(value)) return none;
      time = value;
    } else if (name === 'v1') signatures.push(value);
  }
  return time === null || signatures.length > mostSignatures ? none : { time, signatures };
}

/** Of any length, in the same time. */
function sameText(one: string, other: string): boolean {
  const [a, b] = [one, other].map((text) => createHash('sha256').update(text).digest());
  return timingSafeEqual(a ?? Buffer.alloc(32), b ?? Buffer.alloc(32, 1));
}
