import { setTimeout as wait } from 'node:timers/promises';
import type { LiveFrame } from '../../packages/server/src/domain/live.ts';
import type { EventView } from '../../packages/server/src/domain/views.ts';

/**
 * Somebody who watches a run through whichever API replica answers: cut off, it goes on at another after the last event it
 * saw, as a browser does.
 */
export class Viewer {
  readonly events: EventView[] = [];
  /** Live frames, each with the seq of the last event before it. */
  readonly frames: { readonly after: number; readonly frame: LiveFrame; readonly at: number }[] = [];
  readonly done: Promise<void>;
  readonly #runId: string;
  readonly #urls: () => readonly string[];
  readonly #token: string;
  readonly #stop = new AbortController();

  constructor(runId: string, urls: () => readonly string[], token: string) {
    this.#runId = runId;
    this.#urls = urls;
    this.#token = token;
    this.done = this.#watch();
  }

  stop(): void {
    this.#stop.abort();
  }

  async #watch(): Promise<void> {
    for (let turn = 0; !this.#stop.signal.aborted; turn += 1) {
      const urls = this.#urls();
      const url = urls[turn % Math.max(1, urls.length)];
      const isOver = url === undefined ? false : await this.#watchAt(url).catch(() => false);
      if (isOver) return;
      await wait(100);
    }
  }

  async #watchAt(url: string): Promise<boolean> {
    const last = this.events.at(-1)?.seq ?? 0;
    const response = await fetch(`${url}/api/v1/runs/${this.#runId}/stream`, {
      headers: { authorization: `Bearer ${this.#token}`, 'last-event-id': String(last) },
      signal: this.#stop.signal,
    });
    if (!response.ok || response.body === null) return false;
    let rest = '';
    for await (const piece of response.body.pipeThrough(new TextDecoderStream())) {
      const parts = (rest + piece).split('\n\n');
      rest = parts.pop() ?? '';
      for (const part of parts) if (this.#take(part)) return true;
    }
    return false;
  }

  #take(part: string): boolean {
    const name = /^event: (.*)$/m.exec(part)?.[1];
    const data = /^data: (.*)$/m.exec(part)?.[1];
    if (name === undefined || data === undefined) return false;
    const value: unknown = JSON.parse(data);
    if (name === 'event') this.events.push(value as EventView);
    if (name === 'frame') {
      this.frames.push({ after: this.events.at(-1)?.seq ?? 0, frame: value as LiveFrame, at: Date.now() });
    }
    return name === 'end';
  }
}
