/** An amount of money in whole cents; negative for refunds. */
export type Cents = number;

const pattern = /^(-?\d+)(?:\.(\d{1,2}))?$/;

/**
 * Reads an amount such as `12`, `12.5` or `-12.50`.
 * @throws RangeError when the text is not an amount
 */
export function parseAmount(text: string): Cents {
  const match = pattern.exec(text.trim());
  if (match === null) throw new RangeError(`not an amount: ${JSON.stringify(text)}`);
  const whole = Number(match[1]);
  const fraction = Number((match[2] ?? '').padEnd(2, '0'));
  return whole < 0 ? whole * 100 - fraction : whole * 100 + fraction;
}

/** Prints an amount with two decimals, `-12.50`. */
export function formatAmount(amount: Cents): string {
  const sign = amount < 0 ? '-' : '';
  const cents = Math.abs(amount);
  return `${sign}${Math.floor(cents / 100)}.${String(cents % 100).padStart(2, '0')}`;
}

/** Adds amounts. */
export function sum(amounts: readonly Cents[]): Cents {
  return amounts.reduce((total, amount) => total + amount, 0);
}
