import { once } from 'node:events';
import type { ServerResponse } from 'node:http';

/** Bytes a reader may be behind before live frames are dropped, and before events wait for it. */
const frameBacklogBytes = 65_536;
const eventBacklogBytes = 262_144;

/**
 * Writes Server-Sent Events to one reader, bounded however slow it is: fleeting frames are dropped when the reader
 * is behind, settled events wait for it, and one that takes nothing for `stalledReaderMs` is disconnected.
 */
export class SseWriter {
  readonly #response: ServerResponse;
  readonly #options: { readonly heartbeatMs: number; readonly stalledReaderMs: number };
  readonly #closing = new AbortController();
  readonly #heartbeat: NodeJS.Timeout;
  #dropped = 0;
  #gathering = false;

  constructor(
    response: ServerResponse,
    options: {
      readonly heartbeatMs: number;
      readonly stalledReaderMs: number;
      readonly requestId: string;
    },
  ) {
    this.#response = response;
    this.#options = options;
    response.writeHead(200, {
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
      'x-accel-buffering': 'no',
      'x-request-id': options.requestId,
    });
    response.write('retry: 500\n\n');
    response.on('error', () => this.#closing.abort());
    response.on('close', () => this.#closing.abort());
    this.#heartbeat = setTimeout(() => this.#beat(), options.heartbeatMs);
    this.#heartbeat.unref();
  }

  /** Aborted once the reader is gone. */
  get closed(): AbortSignal {
    return this.#closing.signal;
  }

  /** Dropped when the reader is behind; how many were is said in a comment before the next message. */
  frame(data: unknown): void {
    if (this.#response.writableLength > frameBacklogBytes) this.#dropped += 1;
    else this.#write(`event: frame\ndata: ${JSON.stringify(data)}\n\n`);
  }

  /** Resolves when there is room for the next one, or the reader is gone. */
  async event(seq: number, data: unknown): Promise<void> {
    await this.message(String(seq), 'event', data);
  }

  /** A message that a reader resumes after by its id. Resolves as `event` does. */
  async message(id: string, name: string, data: unknown): Promise<void> {
    this.#write(`id: ${id}\nevent: ${name}\ndata: ${jsonOf(data)}\n\n`);
    await this.#room();
  }

  async named(name: 'end' | 'problem', data: unknown): Promise<void> {
    this.#write(`event: ${name}\ndata: ${JSON.stringify(data)}\n\n`);
    await this.#room();
  }

  /** This server is going: the reader resumes, by its last `seq`, where it then finds one. */
  comeBack(): void {
    this.#write(': this server is stopping\nretry: 1000\n\n');
  }

  end(): void {
    clearTimeout(this.#heartbeat);
    // Node would write the end of a corked answer before what was gathered.
    this.#send();
    if (!this.#response.writableEnded) this.#response.end();
  }

  #write(text: string): void {
    if (this.#closing.signal.aborted || this.#response.writableEnded) return;
    const dropped = this.#dropped === 0 ? '' : `: ${this.#dropped} live frames dropped\n\n`;
    this.#dropped = 0;
    this.#gather();
    this.#response.write(dropped + text);
    this.#heartbeat.refresh();
  }

  /** What is written within one turn of the event loop leaves in one piece: a system call for each costs more. */
  #gather(): void {
    if (this.#gathering) return;
    this.#gathering = true;
    this.#response.cork();
    setImmediate(() => this.#send());
  }

  #send(): void {
    if (!this.#gathering) return;
    this.#gathering = false;
    this.#response.uncork();
  }

  #beat(): void {
    // A reader that is behind needs no proof of life, and must not be fed for ever.
    if (this.#response.writableLength <= frameBacklogBytes) this.#write(': alive\n\n');
    this.#heartbeat.refresh();
  }

  async #room(): Promise<void> {
    if (this.#response.writableLength <= eventBacklogBytes || this.#closing.signal.aborted) return;
    const patience = AbortSignal.timeout(this.#options.stalledReaderMs);
    try {
      await once(this.#response, 'drain', { signal: AbortSignal.any([patience, this.#closing.signal]) });
    } catch {
      this.#closing.abort();
      this.#response.destroy();
    }
  }
}

/** Rows and entries are shared by all who follow them, and do not change: written as text once. */
const texts = new WeakMap<object, string>();

function jsonOf(data: unknown): string {
  if (typeof data !== 'object' || data === null) return JSON.stringify(data);
  const known = texts.get(data);
  if (known !== undefined) return known;
  const text = JSON.stringify(data);
  texts.set(data, text);
  return text;
}
