import { harmlessLine, type Event, type Run } from '@berth/client';
import { workflowLines } from '../output/github-actions.ts';
import { spell, stamp } from '../output/units.ts';
import type { Surface } from '../output/surface.ts';
import { plainFacts } from './event-text.ts';
import { Housekeeping } from './housekeeping.ts';
import type { View } from './view.ts';

/** Silence after which a line says what is waited for. */
const heartbeatMs = 60_000;

/** One line per event that does not fold: for pipes, logs of other systems, and terminals that cannot redraw. */
export class PlainView implements View {
  readonly #surface: Surface;
  readonly #now: () => number;
  readonly #isActions: boolean;
  readonly #timer: NodeJS.Timeout;
  #run: Run | null = null;
  readonly #housekeeping = new Housekeeping();
  readonly #runId: string;

  constructor(surface: Surface, runId: string, now: () => number, isActions = false) {
    this.#isActions = isActions;
    this.#surface = surface;
    this.#runId = runId;
    this.#now = now;
    this.#timer = setInterval(() => this.#beat(), heartbeatMs);
    this.#timer.unref();
  }

  run(run: Run): void {
    this.#run = run;
  }

  before(event: Event): void {
    this.#housekeeping.hides(event);
  }

  event(event: Event): void {
    if (event.importance === 'low' || this.#housekeeping.hides(event)) return;
    const { before, after } = this.#isActions ? workflowLines(event) : { before: '', after: '' };
    if (before !== '') this.#surface.write(before);
    this.#line(plainLine(event));
    if (after !== '') this.#surface.write(after);
  }

  frame(): void {
    // Live output belongs to whoever sits in front of a terminal; a log gets the settled event.
  }

  connection(state: 'lost' | 'back', isHost: boolean): void {
    const words =
      state === 'lost'
        ? 'connection lost, trying again'
        : isHost
          ? 'taken over by this process'
          : 'connected again';
    this.#line(`${stamp(new Date(this.#now()).toISOString())} ${this.#runId} note ${words}`);
  }

  end(): void {
    clearInterval(this.#timer);
  }

  #beat(): void {
    const since = this.#run?.status.lastEventAt ?? null;
    const silence = since === null ? '' : `no event for ${spell(this.#now() - Date.parse(since))}; `;
    const reason = harmlessLine(this.#run?.status.reason ?? 'waits');
    this.#line(`${stamp(new Date(this.#now()).toISOString())} ${this.#runId} alive ${silence}${reason}`);
  }

  #line(text: string): void {
    this.#surface.write(`${text}\n`);
    this.#timer.refresh();
  }
}

/** `2026-11-21T12:05:07Z r-… check.judged test failed exit=1 8.8s` */
export function plainLine(event: Event): string {
  return `${stamp(event.at)} ${event.run} ${event.type} ${harmlessLine(event.title)}${plainFacts(event)}`;
}
