import { leafOf, type Entry } from '../entry.ts';
import { unpackLeaves, type Leaf, type Seal } from '../seal.ts';
import type { Findings } from './findings.ts';

/**
 * Compares what is stored in a seal's range with what it sealed: changed, missing and added entries, each by its
 * position. Pure but for `findings`.
 * @param stored in the order of positions
 * @param isPartial whether `stored` was filtered, so that absence says nothing
 */
export function checkEntries(
  seal: Seal,
  stored: Iterable<Entry>,
  findings: Findings,
  isPartial = false,
): void {
  const leaves = unpackLeaves(seal);
  let leaf = nextOf(leaves);
  const missing = (at: Leaf): void => {
    if (isPartial) return;
    findings.add({
      problem: 'entry-missing',
      position: at.position,
      seal: seal.number,
      sentence: `Entry ${at.position} was sealed by seal ${seal.number} and is gone.`,
    });
  };
  for (const entry of stored) {
    while (leaf !== null && leaf.position < entry.position) {
      missing(leaf);
      leaf = nextOf(leaves);
    }
    if (leaf === null || leaf.position !== entry.position) {
      findings.add({
        problem: 'entry-added',
        position: entry.position,
        seal: seal.number,
        sentence: `Entry ${entry.position} lies in the range of seal ${seal.number}, which did not seal it.`,
      });
      continue;
    }
    if (!leaf.hash.equals(leafOf(entry))) {
      findings.add({
        problem: 'entry-changed',
        position: entry.position,
        seal: seal.number,
        sentence: `Entry ${entry.position} (${entry.action}) is not what seal ${seal.number} sealed.`,
      });
    }
    leaf = nextOf(leaves);
  }
  for (; leaf !== null; leaf = nextOf(leaves)) missing(leaf);
}

function nextOf(leaves: Iterator<Leaf>): Leaf | null {
  const next = leaves.next();
  return next.done === true ? null : next.value;
}
