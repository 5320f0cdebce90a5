import { allocate } from './allocate.js';
import { formatAmount, parseAmount, sum, type Cents } from './money.js';

export interface Line {
  readonly text: string;
  /** As written by people: `19.90`, or `-0.05` for a correction. */
  readonly amount: string;
}

/** The total of an invoice. */
export function total(lines: readonly Line[]): Cents {
  return sum(lines.map((line) => parseAmount(line.amount)));
}

/** What each of several payers owes, printed; the shares add up to the total. */
export function shares(lines: readonly Line[], weights: readonly number[]): string[] {
  return allocate(total(lines), weights).map(formatAmount);
}
