import { readAddress } from './addresses.ts';
import { compileRanges, isSpecial } from './special-ranges.ts';

/**
 * Whether an address lies in a range, by what it reaches: an address inside an address counts, and a range that holds
 * the outer one opens no special address inside it. Pure.
 */
export function contains(cidr: string, text: string): boolean {
  const read = readAddress(text);
  if (read === null) return false;
  const inRange = rangeOf(cidr);
  const { address, embedded } = read;
  if (embedded.length === 0) return inRange(address);
  if (embedded.every(inRange)) return true;
  return inRange(address) && embedded.every((inner) => isSpecial(inner) === null);
}

const ranges = new Map<string, (address: string) => boolean>();
/** Configured ranges are few; what is remembered stays small all the same. */
const rememberedRanges = 1_000;

function rangeOf(cidr: string): (address: string) => boolean {
  const known = ranges.get(cidr);
  if (known !== undefined) return known;
  const check = compileRanges([cidr]);
  const inRange = (address: string): boolean => check(address) !== null;
  if (ranges.size >= rememberedRanges) ranges.clear();
  ranges.set(cidr, inRange);
  return inRange;
}
