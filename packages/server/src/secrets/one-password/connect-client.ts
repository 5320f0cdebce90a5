import type { z } from 'zod';
import { BerthError } from '../../domain/errors/index.ts';
import type { Clock } from '../../domain/ports/clock.ts';
import { getText, type TextAnswer } from '../../net/get-text.ts';

/** An item with attachments is some kB; a list of thousands of items is below this. */
const maxAnswerBytes = 8 * 1024 * 1024;
const defaultTimeoutMs = 10_000;
const mostTries = 3;
const firstWaitMs = 250;
/** A server that asks for more patience is taken as away: whoever needs the secret waits meanwhile. */
const longestWaitMs = 5_000;
const mostPages = 100;

export interface ConnectServer {
  /** Base address of the server, with or without `/v1`. */
  readonly url: string;
  readonly token: string;
}

export interface ConnectClientOptions {
  readonly clock: Clock;
  /** For one request with its body. */
  readonly timeoutMs?: number;
}

/** Reads from one 1Password Connect server (REST, version 1). */
export interface ConnectClient {
  /** An object; null: there is none (404). @throws BerthError `SECRET_UNAVAILABLE` */
  one<T>(path: string, schema: z.ZodType<T>, signal: AbortSignal): Promise<T | null>;
  /** A list with all its pages; null: there is none (404). @throws BerthError `SECRET_UNAVAILABLE` */
  list<T>(path: string, filter: string, schema: z.ZodType<T[]>, signal: AbortSignal): Promise<T[] | null>;
}

export function connectClient(server: ConnectServer, options: ConnectClientOptions): ConnectClient {
  const base = `${server.url.replace(/\/+$/, '').replace(/\/v1$/, '')}/v1`;
  return {
    async one(path, schema, signal) {
      const answer = await ask(`${base}${path}`, server.token, options, signal);
      return answer.status === 404 ? null : shaped(answer.text, schema);
    },
    async list<T>(path: string, filter: string, schema: z.ZodType<T[]>, signal: AbortSignal) {
      const all: T[] = [];
      let url: string | null = `${base}${path}?${new URLSearchParams({ filter }).toString()}`;
      for (let page = 1; url !== null; page += 1) {
        if (page > mostPages) throw unavailable(`answers more than ${mostPages} pages`);
        const answer: TextAnswer = await ask(url, server.token, options, signal);
        if (answer.status === 404) return null;
        all.push(...shaped(answer.text, schema));
        url = nextPage(answer.headers.get('link'), url);
      }
      return all;
    },
  };
}

async function ask(
  url: string,
  token: string,
  { clock, timeoutMs = defaultTimeoutMs }: ConnectClientOptions,
  signal: AbortSignal,
): Promise<TextAnswer> {
  for (let tried = 1; ; tried += 1) {
    const answer = await getText({
      url,
      headers: { authorization: `Bearer ${token}`, accept: 'application/json' },
      timeoutMs,
      maxBytes: maxAnswerBytes,
      signal,
    }).catch((error: unknown) => {
      signal.throwIfAborted();
      throw unavailable(whyUnreachable(error, timeoutMs));
    });
    const { status } = answer;
    if ((status >= 200 && status < 300) || status === 404) return answer;
    if (status === 401 || status === 403) {
      throw unavailable(`refuses its token (${status}): it is wrong, expired, or may not read this vault`);
    }
    const isBusy = status === 429 || status === 502 || status === 503 || status === 504;
    const waitMs = retryAfterMs(answer.headers.get('retry-after')) ?? firstWaitMs * 2 ** (tried - 1);
    if (!isBusy || tried >= mostTries || waitMs > longestWaitMs) throw unavailable(`answers ${status}`);
    await clock.sleep(waitMs, signal);
  }
}

/** Not the error's own words: they may hold the address with what somebody wrote into it. */
function whyUnreachable(error: unknown, timeoutMs: number): string {
  if (error instanceof RangeError) return 'answers more than is read';
  const isSlow = error instanceof Error && error.name === 'TimeoutError';
  return isSlow ? `does not answer within ${timeoutMs} ms` : 'cannot be reached';
}

function unavailable(what: string): BerthError {
  return new BerthError('SECRET_UNAVAILABLE', `The 1Password Connect server ${what}.`);
}

function retryAfterMs(header: string | null): number | null {
  return header !== null && /^\d{1,6}$/.test(header) ? Number(header) * 1_000 : null;
}

/** Values never reach the sentence: what does not fit is not quoted. */
function shaped<T>(text: string, schema: z.ZodType<T>): T {
  let value: unknown = null;
  try {
    value = JSON.parse(text);
  } catch {
    throw unavailable('answers what is no JSON');
  }
  const parsed = schema.safeParse(value);
  if (!parsed.success) throw unavailable('answers what it should not: another version, or another server');
  return parsed.data;
}

/**
 * Connect answers lists whole; a gateway before it may page with `Link: <…>; rel="next"`. Only within the same origin: the
 * token goes nowhere else.
 */
function nextPage(header: string | null, from: string): string | null {
  const found = /<([^<>]{1,4096})>\s*;[^,]*\brel="?next"?/.exec(header ?? '')?.[1];
  if (found === undefined) return null;
  const url = URL.parse(found, from);
  if (url === null || url.origin !== new URL(from).origin || url.href === from) {
    throw unavailable('names a next page elsewhere');
  }
  return url.href;
}
