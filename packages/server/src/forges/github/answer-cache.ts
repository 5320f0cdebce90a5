import type { IncomingHttpHeaders } from 'node:http';

export interface RememberedAnswer {
  readonly etag: string;
  readonly text: string;
  readonly headers: IncomingHttpHeaders;
}

const maxEntries = 1_000;
const maxBytes = 16 * 1024 * 1024;

/** Answers with their tags, by who asked and what: the least recently used go first. */
export class AnswerCache {
  readonly #entries = new Map<string, RememberedAnswer>();
  #bytes = 0;

  get(account: string, url: string): RememberedAnswer | undefined {
    const key = `${account} ${url}`;
    const found = this.#entries.get(key);
    if (found === undefined) return undefined;
    this.#entries.delete(key);
    this.#entries.set(key, found);
    return found;
  }

  set(account: string, url: string, answer: RememberedAnswer): void {
    const key = `${account} ${url}`;
    this.#drop(key);
    this.#entries.set(key, answer);
    this.#bytes += answer.text.length;
    while (this.#entries.size > maxEntries || this.#bytes > maxBytes) {
      const oldest = this.#entries.keys().next().value;
      if (oldest === undefined) break;
      this.#drop(oldest);
    }
  }

  #drop(key: string): void {
    const found = this.#entries.get(key);
    if (found === undefined) return;
    this.#entries.delete(key);
    this.#bytes -= found.text.length;
  }
}
