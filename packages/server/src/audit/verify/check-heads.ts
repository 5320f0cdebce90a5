import type { KeyObject } from 'node:crypto';
import { headsPath, readHeads } from '../heads.ts';
import { isSignedBy } from '../seal.ts';
import type { Findings } from './findings.ts';

export { headsPath };

/**
 * Compares the heads kept outside the database with its seals. A database put back to an earlier state lacks seals
 * whose heads were signed; one that went on from there has others in their place.
 * @param hashOf hash of the seal of a number; null when there is none any more (cut), undefined beyond the last
 */
export async function checkHeads(
  path: string,
  keys: readonly KeyObject[],
  hashOf: (number: number) => string | null | undefined,
  lastNumber: number,
  findings: Findings,
): Promise<void> {
  let newest: { readonly number: number; readonly at: string; readonly to: number } | null = null;
  for await (const line of readHeads(path)) {
    if ('unreadable' in line) {
      findings.add({
        problem: 'head-changed',
        sentence: `Line ${line.unreadable} of ${path} is not a head.`,
      });
      continue;
    }
    const { head } = line;
    if (!keys.some((key) => isSignedBy(head, key))) {
      findings.add({
        problem: 'head-changed',
        seal: head.number,
        sentence: `The head of seal ${head.number} in ${path} is not signed by a known key.`,
      });
      continue;
    }
    const hash = hashOf(head.number);
    if (hash === undefined) {
      if (newest === null || head.number > newest.number) newest = head;
    } else if (hash !== null && hash !== head.hash) {
      findings.add({
        problem: 'rolled-back',
        seal: head.number,
        sentence: `Seal ${head.number} is another one than was signed at ${head.at}: the database was put back to an earlier state and went on from there.`,
      });
    }
  }
  if (newest !== null) {
    findings.add({
      problem: 'rolled-back',
      seal: lastNumber + 1,
      sentence: `The record ends at seal ${lastNumber}; seal ${newest.number} (up to entry ${newest.to}) was signed at ${newest.at}. The tail was cut off, or the database was put back to an earlier state.`,
    });
  }
}
