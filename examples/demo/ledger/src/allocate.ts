import { sum, type Cents } from './money.js';

/**
 * Splits an amount by weights so that the parts add up to it exactly: the cents that do not divide evenly go
 * to the first parts, one each.
 * @throws RangeError when there is no positive weight
 */
export function allocate(amount: Cents, weights: readonly number[]): Cents[] {
  const total = weights.reduce((all, weight) => all + weight, 0);
  if (!(total > 0) || weights.some((weight) => weight < 0)) {
    throw new RangeError('weights must be non-negative, and at least one positive');
  }
  const parts = weights.map((weight) => Math.trunc((amount * weight) / total));
  const left = amount - sum(parts);
  for (let index = 0; index < left; index += 1) {
    parts[index % parts.length]! += 1;
  }
  return parts;
}
