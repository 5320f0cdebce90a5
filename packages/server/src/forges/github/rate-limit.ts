import type { IncomingHttpHeaders } from 'node:http';

/** Of the documentation of GitHub's REST API: a secondary limit that names no time asks for a minute at least. */
const secondaryMs = 60_000;
/** Resets are told in whole seconds, by another clock. */
const slackMs = 1_000;

/**
 * Until when GitHub wants no further request, by its own words in an answer; null: the answer is no limit. Pure.
 * @returns milliseconds of the wall clock
 */
export function limitedUntil(
  answer: { readonly status: number; readonly headers: IncomingHttpHeaders; readonly text: string },
  nowMs: number,
): number | null {
  if (answer.status !== 403 && answer.status !== 429) return null;
  const after = retryAfterMs(answer.headers['retry-after'], nowMs);
  if (after !== null) return nowMs + after;
  if (answer.headers['x-ratelimit-remaining'] === '0') {
    const reset = Number(answer.headers['x-ratelimit-reset']) * 1_000;
    return Number.isFinite(reset) ? Math.max(nowMs, reset) + slackMs : nowMs + secondaryMs;
  }
  const isSecondary = answer.status === 429 || /secondary rate limit|abuse detection/i.test(answer.text);
  return isSecondary ? nowMs + secondaryMs : null;
}

function retryAfterMs(header: string | undefined, nowMs: number): number | null {
  if (header === undefined) return null;
  const seconds = /^\d{1,6}$/.test(header) ? Number(header) * 1_000 : Date.parse(header) - nowMs;
  // Never at once: an answer that says so for ever would be asked for ever.
  return Number.isFinite(seconds) ? Math.max(1_000, seconds) : null;
}
