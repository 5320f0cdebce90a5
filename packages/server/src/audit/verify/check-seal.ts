import type { KeyObject } from 'node:crypto';
import { chainStart, isSignedBy, leafBytes, sealHash, unpackLeaves, type Seal } from '../seal.ts';
import type { Findings } from './findings.ts';

/** What the next seal has to follow on. */
export interface ChainEnd {
  readonly number: number;
  readonly hash: string;
  readonly to: number;
}

export const chainBegin: ChainEnd = { number: 0, hash: chainStart, to: 0 };

/**
 * Where the chain begins once it was cut: at the newest cut. Whether that cut holds is asked when its own seal is
 * checked, like any other's.
 */
export function beginAfterCut(seals: { readonly newestCut: Seal | null }): ChainEnd {
  const cut = seals.newestCut?.cut ?? null;
  return cut === null ? chainBegin : { number: cut.number, hash: cut.hash, to: cut.position };
}

/**
 * Checks one seal by itself and against the one before it. Answers the end of the chain with it.
 */
export function checkSeal(
  seal: Seal,
  before: ChainEnd,
  keys: readonly KeyObject[],
  findings: Findings,
): ChainEnd {
  const wrong = (problem: 'seal-changed' | 'seal-missing' | 'seal-unsigned', sentence: string): void =>
    findings.add({ problem, seal: seal.number, sentence });
  const after = { number: seal.number, hash: seal.hash, to: seal.to };
  if (seal.number !== before.number + 1) {
    findings.add({
      problem: 'seal-missing',
      seal: before.number + 1,
      sentence: `Seal ${before.number + 1} is missing: seal ${before.number} is followed by ${seal.number}.`,
    });
  } else if (seal.prevHash !== before.hash) {
    wrong('seal-changed', `Seal ${seal.number} does not follow on seal ${before.number}.`);
  } else if (seal.from !== before.to + 1) {
    wrong('seal-changed', `Seal ${seal.number} begins at ${seal.from}, not at ${before.to + 1}.`);
  }
  if (sealHash(seal) !== seal.hash) {
    wrong('seal-changed', `Seal ${seal.number} does not match its hash.`);
  } else if (!keys.some((key) => isSignedBy(seal, key))) {
    wrong('seal-unsigned', `Seal ${seal.number} is not signed by a known key (its key is ${seal.keyId}).`);
  } else if (!isWellFormed(seal)) {
    wrong('seal-changed', `Seal ${seal.number} contradicts itself.`);
  }
  return after;
}

function isWellFormed(seal: Seal): boolean {
  if (seal.leaves.length !== seal.count * leafBytes) return false;
  let last = seal.from - 1;
  for (const { position } of unpackLeaves(seal)) {
    if (position <= last) return false;
    last = position;
  }
  return last <= seal.to || seal.count === 0;
}
