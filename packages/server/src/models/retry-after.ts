/** Response headers with lower-case names. */
export type Headers = Readonly<Record<string, string | undefined>>;

/**
 * How long a provider asks to wait, in milliseconds, or null when it says nothing that can be understood.
 * Reads `retry-after-ms` (OpenAI, Azure), `Retry-After` as seconds or HTTP date (RFC 9110, 10.2.3), then the
 * reset headers of Anthropic (`anthropic-ratelimit-*-reset`, RFC 3339) and OpenAI (`x-ratelimit-reset-*`,
 * like `6m0s`), of which the longest counts whose remainder is used up.
 */
export function retryAfterMs(headers: Headers, nowMs: number): number | null {
  const exact = Number(headers['retry-after-ms'] ?? Number.NaN);
  if (Number.isFinite(exact) && exact >= 0) return Math.ceil(exact);
  const plain = headers['retry-after']?.trim();
  if (plain !== undefined && plain !== '') {
    const seconds = Number(plain);
    if (Number.isFinite(seconds)) return seconds < 0 ? null : Math.ceil(seconds * 1000);
    const dateMs = Date.parse(plain);
    if (Number.isFinite(dateMs)) return Math.max(0, dateMs - nowMs);
  }
  let longest: number | null = null;
  for (const [name, value] of Object.entries(headers)) {
    if (value === undefined) continue;
    const waitMs = resetHeaderMs(name, value, headers, nowMs);
    if (waitMs !== null && (longest === null || waitMs > longest)) longest = waitMs;
  }
  return longest;
}

function resetHeaderMs(name: string, value: string, headers: Headers, nowMs: number): number | null {
  const anthropic = /^anthropic-ratelimit-(requests|tokens|input-tokens|output-tokens)-reset$/.exec(name);
  if (anthropic !== null) {
    const at = Date.parse(value);
    const isUsedUp = Number(headers[`anthropic-ratelimit-${anthropic[1]}-remaining`]) === 0;
    return isUsedUp && Number.isFinite(at) ? Math.max(0, at - nowMs) : null;
  }
  const openai = /^x-ratelimit-reset-(requests|tokens)$/.exec(name);
  if (openai === null || Number(headers[`x-ratelimit-remaining-${openai[1]}`]) !== 0) return null;
  return goDurationMs(value);
}

/** Milliseconds of a duration like `1h2m3.5s` or `120ms`; null when it is not one. */
export function goDurationMs(text: string): number | null {
  const unitMs: Readonly<Record<string, number>> = { h: 3_600_000, m: 60_000, s: 1000, ms: 1 };
  if (!/^(?:\d+(?:\.\d+)?(?:ms|h|m|s))+$/.test(text)) return null;
  let totalMs = 0;
  for (const [, amount, unit] of text.matchAll(/(\d+(?:\.\d+)?)(ms|h|m|s)/g)) {
    totalMs += Number(amount) * (unitMs[unit!] ?? 0);
  }
  return Math.ceil(totalMs);
}
