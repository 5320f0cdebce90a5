import type { IncomingHttpHeaders } from 'node:http';
import type { z } from 'zod';
import { BerthError } from '../../domain/errors/index.ts';
import type { Clock } from '../../domain/ports/clock.ts';
import { exchange, type ExchangeAnswer } from '../../net/exchange.ts';
import { AnswerCache } from './answer-cache.ts';
import { failureOf, parsedJson, unreachable } from './failures.ts';
import { limitedUntil } from './rate-limit.ts';

/** Of one exchange. GitHub itself ends requests after ten seconds; the rest is the way there. */
const exchangeMs = 30_000;
/** Of a JSON answer: a page of a hundred pull requests with the longest texts is below 20 MiB. */
const maxAnswerBytes = 32 * 1024 * 1024;
/** Before the second, third and fourth try. */
const pausesMs = [500, 2_000, 5_000];
/** Answers of one list that are read. */
const maxPages = 50;

export interface ApiRequest {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** Below the API's address, with its leading slash; or the whole address of a page of it. */
  readonly path: string;
  readonly body?: unknown;
  /** As in "reading pull request #3", for errors. */
  readonly what: string;
  /** A POST that may arrive twice. Others are sent again only where they certainly did not arrive. */
  readonly isRepeatable?: boolean;
  /** Asked again and again: an answer that did not change costs nothing. */
  readonly isPolled?: boolean;
  /** Statuses that are answers for the caller, beside 2xx. */
  readonly expect?: readonly number[];
}

export interface ApiAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}

/** What stands in the header `authorization`; a refused one is made anew once. */
export type Authorize = (options: {
  readonly isRefused: boolean;
  readonly answer?: ApiAnswer;
}) => Promise<string>;

export interface GitHubClientOptions {
  /** As it is called in the configuration. */
  readonly forge: string;
  readonly rest: string;
  readonly ca: () => Promise<string | null>;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** Longest that a request waits for a rate limit to end; default 60 s. Beyond: `FORGE_RATE_LIMITED`. */
  readonly longestWaitMs?: number;
  /** Default 30 s. */
  readonly exchangeMs?: number;
  /** Default 32 MiB. */
  readonly maxAnswerBytes?: number;
}

/** Speaks with one GitHub: bounded, patient with limits and outages where that is safe, in codes otherwise. */
export class GitHubClient {
  readonly options: GitHubClientOptions;
  readonly #cache = new AnswerCache();
  /** By what the limit counts for: one credential. */
  readonly #limitedUntilMs = new Map<string, number>();

  constructor(options: GitHubClientOptions) {
    this.options = options;
  }

  /**
   * @param account whose rate limit it counts on, and whose answers may be remembered
   * @throws BerthError `FORGE_*`
   */
  async send(request: ApiRequest, account: string, authorize: Authorize): Promise<ApiAnswer> {
    const { clock, signal } = this.options;
    const isSafe = request.method !== 'POST' || request.isRepeatable === true;
    let authorization = await authorize({ isRefused: false });
    let isRenewed = false;
    let waitedMs = 0;
    for (let failures = 0; ;) {
      waitedMs += await this.#waitForLimit(request, account, waitedMs);
      const tried = await this.#try(request, account, authorization);
      if ('error' in tried) {
        if (signal.aborted) throw signal.reason;
        const mayRepeat = (isSafe || neverArrived(tried.error)) && !(tried.error instanceof RangeError);
        if (!mayRepeat || failures >= pausesMs.length)
          throw unreachable(this.options.forge, request.what, tried.error);
        await clock.sleep(pausesMs[failures]!, signal);
        failures += 1;
        continue;
      }
      const untilMs = limitedUntil(tried, clock.nowMs());
      if (untilMs !== null) {
        this.#limitedUntilMs.set(account, untilMs);
        continue;
      }
      if (tried.status >= 500 && isSafe && failures < pausesMs.length) {
        await clock.sleep(pausesMs[failures]!, signal);
        failures += 1;
        continue;
      }
      if (tried.status === 401 && !isRenewed) {
        isRenewed = true;
        const renewed = await authorize({ isRefused: true, answer: tried });
        if (renewed !== authorization) {
          authorization = renewed;
          continue;
        }
      }
      if ((tried.status >= 200 && tried.status < 300) || request.expect?.includes(tried.status) === true)
        return tried;
      throw failureOf(this.options.forge, request.what, tried);
    }
  }

  /** A request whose answer has a shape. */
  async json<T>(
    request: ApiRequest,
    schema: z.ZodType<T>,
    account: string,
    authorize: Authorize,
  ): Promise<{ readonly value: T; readonly headers: IncomingHttpHeaders }> {
    const { headers, text } = await this.send(request, account, authorize);
    const parsed = schema.safeParse(parsedJson(text));
    if (parsed.success) return { value: parsed.data, headers };
    throw new BerthError(
      'FORGE_ANSWER_INVALID',
      `${this.options.forge} answered something else than was asked for at ${request.what}.`,
      { cause: parsed.error, details: { forge: this.options.forge } },
    );
  }

  /** All pages of a list, within a bound. */
  async pages<T>(
    request: ApiRequest,
    schema: z.ZodType<T>,
    account: string,
    authorize: Authorize,
    options: { readonly maxPages?: number } = {},
  ): Promise<T[]> {
    const all: T[] = [];
    let next: string | null = request.path;
    for (let page = 0; next !== null && page < (options.maxPages ?? maxPages); page += 1) {
      const answer: { readonly value: T; readonly headers: IncomingHttpHeaders } = await this.json(
        { ...request, path: next },
        schema,
        account,
        authorize,
      );
      all.push(answer.value);
      const { link } = answer.headers;
      next = this.#nextPage(Array.isArray(link) ? link.join(', ') : link);
    }
    return all;
  }

  /** The address of the next page, when it is on this API: a credential goes nowhere else. */
  #nextPage(link: string | undefined): string | null {
    const found = /<([^<>]+)>;\s*rel="next"/.exec(link ?? '')?.[1];
    return found !== undefined && this.#isOurs(found) ? found : null;
  }

  #isOurs(address: string): boolean {
    const url = URL.parse(address);
    const rest = new URL(this.options.rest);
    const prefix = rest.pathname.replace(/\/$/, '');
    return url !== null && url.origin === rest.origin && url.pathname.startsWith(`${prefix}/`);
  }

  async #waitForLimit(request: ApiRequest, account: string, waitedMs: number): Promise<number> {
    const { clock, signal, forge, longestWaitMs = 60_000 } = this.options;
    const untilMs = this.#limitedUntilMs.get(account);
    const nowMs = clock.nowMs();
    if (untilMs === undefined || untilMs <= nowMs) return 0;
    const pauseMs = untilMs - nowMs;
    if (waitedMs + pauseMs > longestWaitMs) {
      const until = new Date(untilMs).toISOString();
      throw new BerthError(
        'FORGE_RATE_LIMITED',
        `${forge} takes no requests until ${until} (${request.what}).`,
        {
          next: `Try again after ${until}.`,
          details: { forge, until },
        },
      );
    }
    await clock.sleep(pauseMs, signal);
    return pauseMs;
  }

  async #try(
    request: ApiRequest,
    account: string,
    authorization: string,
  ): Promise<ApiAnswer | { readonly error: unknown }> {
    const isRemembered = request.isPolled === true && request.method === 'GET';
    const url = request.path.startsWith('/') ? `${this.options.rest}${request.path}` : request.path;
    const known = isRemembered ? this.#cache.get(account, url) : undefined;
    try {
      const answer = await this.#follow(request, url, {
        authorization,
        ...(known === undefined ? {} : { 'if-none-match': known.etag }),
      });
      if (answer.status === 304 && known !== undefined)
        return { status: 200, headers: { ...answer.headers, ...known.headers }, text: known.text };
      const text = answer.body.toString('utf8');
      // A body that broke off on its way is no answer, even where the connection ended in order.
      if (answer.status >= 200 && answer.status < 300 && text !== '' && parsedJson(text) === undefined)
        return { error: new Error('its answer is not JSON') };
      const { etag } = answer.headers;
      if (isRemembered && answer.status === 200 && etag !== undefined)
        this.#cache.set(account, url, { etag, text, headers: answer.headers });
      return { status: answer.status, headers: answer.headers, text };
    } catch (error) {
      return { error };
    }
  }

  /** A moved repository answers with its new address on the same API; nothing else is followed. */
  async #follow(
    request: ApiRequest,
    url: string,
    headers: Readonly<Record<string, string>>,
  ): Promise<ExchangeAnswer> {
    let address = url;
    for (let hops = 0; ; hops += 1) {
      const answer = await this.raw({ method: request.method, url: address, headers, body: request.body });
      const { location } = answer.headers;
      const isMoved = [301, 302, 307, 308].includes(answer.status) && location !== undefined;
      if (!isMoved || hops === 3 || (request.method !== 'GET' && answer.status < 307)) return answer;
      const target = URL.parse(location, address);
      if (target === null || !this.#isOurs(target.href)) return answer;
      address = target.href;
    }
  }

  /** One exchange without patience; redirects are answers. */
  async raw(request: {
    readonly method: string;
    readonly url: string;
    readonly headers: Readonly<Record<string, string>>;
    readonly body?: unknown;
    readonly maxBytes?: number;
    readonly longer?: 'fails' | 'keep-end';
  }): Promise<ExchangeAnswer> {
    const { signal, ca } = this.options;
    return exchange({
      method: request.method,
      url: request.url,
      headers: {
        accept: 'application/vnd.github+json',
        'x-github-api-version': '2022-11-28',
        'user-agent': 'berth',
        ...(request.body === undefined ? {} : { 'content-type': 'application/json' }),
        ...request.headers,
      },
      ...(request.body === undefined ? {} : { body: JSON.stringify(request.body) }),
      ca: await ca(),
      timeoutMs: this.options.exchangeMs ?? exchangeMs,
      maxBytes: request.maxBytes ?? this.options.maxAnswerBytes ?? maxAnswerBytes,
      ...(request.longer === undefined ? {} : { longer: request.longer }),
      signal,
    });
  }
}

/** Whether the connection was never made: then nothing was asked, and asking is no repetition. */
function neverArrived(error: unknown): boolean {
  const code = error instanceof Error && 'code' in error ? error.code : null;
  return code === 'ECONNREFUSED' || code === 'ENOTFOUND' || code === 'EAI_AGAIN';
}
