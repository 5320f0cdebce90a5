import { createHash, sign, verify, type KeyObject } from 'node:crypto';
import { canonicalJson } from '../store/events/storable.ts';
import { leafOf, type Entry } from './entry.ts';
import { keyIdOf, type SigningKey } from './signing-key.ts';

/** The head of a run's log at the time of a seal. */
export type Anchor = readonly [runId: string, seq: number, hash: string];

/** What a cut took away: everything up to and with this seal and this position. */
export interface Cut {
  /** The last seal that was cut, and its hash: the next one follows on it. */
  readonly number: number;
  readonly hash: string;
  readonly position: number;
  /** Entries that this cut took away. */
  readonly entries: number;
  /** RFC 3339: what was sealed before this time. */
  readonly before: string;
}

/** One link of the signed chain over the record. */
export interface Seal {
  /** From 1, without gaps. */
  readonly number: number;
  readonly kind: 'seal' | 'cut';
  readonly at: string;
  /** First and last position it answers for; positions in between that nobody committed have no leaf. */
  readonly from: number;
  readonly to: number;
  readonly count: number;
  /** 36 bytes an entry, by position: offset from `from`, SHA-256. */
  readonly leaves: Buffer;
  readonly runs: readonly Anchor[];
  readonly cut: Cut | null;
  readonly prevHash: string;
  readonly hash: string;
  /** SHA-256 of the public key that `signature` holds under. */
  readonly keyId: string;
  /** Ed25519, base64. */
  readonly signature: string;
}

export const leafBytes = 36;
/** Offsets have 32 bits. */
export const widestSeal = 2 ** 32 - 1;

/** What the first seal follows on. */
export const chainStart = createHash('sha256').update('berth-audit-1').digest('hex');

export type SealContents = Omit<Seal, 'hash' | 'keyId' | 'signature'>;

/** Covers everything a seal says; the leaves by their own hash. */
export function sealHash(seal: SealContents): string {
  const leaves = createHash('sha256').update(seal.leaves).digest('hex');
  return createHash('sha256')
    .update(
      canonicalJson([
        'berth-seal-1',
        seal.number,
        seal.kind,
        seal.at,
        seal.from,
        seal.to,
        seal.count,
        leaves,
        seal.runs,
        seal.cut,
        seal.prevHash,
      ]),
    )
    .digest('hex');
}

export function signSeal(contents: SealContents, key: SigningKey): Seal {
  const hash = sealHash(contents);
  const signature = sign(null, signedText(contents.number, hash), key.privateKey).toString('base64');
  return { ...contents, hash, keyId: key.id, signature };
}

/** Whether the signature over a seal's number and hash was made with the private half of `publicKey`. */
export function isSignedBy(
  seal: Pick<Seal, 'number' | 'hash' | 'keyId' | 'signature'>,
  publicKey: KeyObject,
): boolean {
  const signature = Buffer.from(seal.signature, 'base64');
  return (
    seal.keyId === keyIdOf(publicKey) &&
    // Base64 that was changed where decoders do not look is a change all the same.
    signature.toString('base64') === seal.signature &&
    verify(null, signedText(seal.number, seal.hash), publicKey, signature)
  );
}

function signedText(number: number, hash: string): Buffer {
  return Buffer.from(`berth-audit-head-1\n${number}\n${hash}`);
}

/** Leaves of entries in the order of their positions. */
export function packLeaves(from: number, entries: readonly Entry[]): Buffer {
  const packed = Buffer.alloc(entries.length * leafBytes);
  for (const [place, entry] of entries.entries()) {
    packed.writeUInt32BE(entry.position - from, place * leafBytes);
    leafOf(entry).copy(packed, place * leafBytes + 4);
  }
  return packed;
}

export interface Leaf {
  readonly position: number;
  readonly hash: Buffer;
}

export function* unpackLeaves(seal: Pick<Seal, 'from' | 'leaves'>): Generator<Leaf> {
  for (let at = 0; at + leafBytes <= seal.leaves.length; at += leafBytes) {
    yield {
      position: seal.from + seal.leaves.readUInt32BE(at),
      hash: seal.leaves.subarray(at + 4, at + leafBytes),
    };
  }
}
