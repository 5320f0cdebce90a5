/** Deeper nesting than this is cut: it only comes from hostile input, and recursion would meet its end in it. */
const deepest = 100;
const tooDeep = '[nested too deeply]';

/**
 * `value` as JSON that PostgreSQL can hold and gives back unchanged: U+0000 becomes U+2400 (a visible stand-in),
 * lone surrogates become U+FFFD, what JSON does not know becomes null or is left out, nesting is bounded.
 */
export function toStorable(value: unknown, depth = 0): unknown {
  switch (typeof value) {
    case 'string':
      return storableText(value);
    case 'boolean':
      return value;
    case 'number':
      return Number.isFinite(value) ? (Object.is(value, -0) ? 0 : value) : null;
    case 'object': {
      if (value === null) return null;
      if (depth >= deepest) return tooDeep;
      if (Array.isArray(value)) return value.map((entry) => toStorable(entry, depth + 1) ?? null);
      return Object.fromEntries(
        Object.entries(value)
          .filter(([, entry]) => entry !== undefined)
          .map(([key, entry]) => [storableText(key), toStorable(entry, depth + 1) ?? null]),
      );
    }
    case 'bigint':
    case 'function':
    case 'symbol':
    case 'undefined':
      return null;
  }
}

export function storableText(text: string): string {
  return text.toWellFormed().replaceAll('\u0000', '\u2400');
}

/** JSON with sorted keys: the same text for the same value, whatever way it took. */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const entries = Object.entries(value)
    .filter(([, entry]) => entry !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${entries.map(([key, entry]) => `${JSON.stringify(key)}:${canonicalJson(entry)}`).join(',')}}`;
}
