import { harmlessLine, type Event, type LiveFrame, type Run } from '@berth/client';
import { onLeave } from '../interrupt.ts';
import type { Io } from '../io.ts';
import type { Paint } from '../output/style.ts';
import type { Surface } from '../output/surface.ts';
import { timeOfDay } from '../output/units.ts';
import { callIdOf, lines } from './event-text.ts';
import { FullScreen } from './full-screen.ts';
import { JobControl } from './job-control.ts';
import { keyInputOf } from './keyboard.ts';
import type { LiveControl } from './live-control.ts';
import { LiveKeys, type KeyedView } from './live-keys.ts';
import { panelLines } from './panel.ts';
import { Screen, type Canvas } from './screen.ts';
import { SettledRows } from './settled-rows.ts';
import type { View } from './view.ts';

/** Under this width a panel does not fit: plain lines are printed instead. */
const minColumns = 60;
/** Least time between two drawings, and the beat of the clocks. */
const drawMs = 80;
const tickMs = 1_000;
/** Characters kept of a call's live output; only its last lines are shown. */
const liveCharacters = 8_192;

export interface LiveViewOptions {
  readonly io: Io;
  readonly surface: Surface;
  readonly paint: Paint;
  readonly now: () => number;
  readonly control: LiveControl;
  /** Whether keys may be asked for. */
  readonly mayAsk: boolean;
  /** The whole terminal instead of its last lines. */
  readonly isFull: boolean;
}

/** The live view of a terminal: settled rows scroll by, the last lines are the run as it is now. */
export class LiveView implements View {
  readonly #surface: Surface;
  readonly #paint: Paint;
  readonly #now: () => number;
  readonly #control: LiveControl;
  readonly #rows: SettledRows;
  readonly #screen: Canvas;
  readonly #keys: LiveKeys | null;
  readonly #jobs: JobControl;
  readonly #tick: NodeJS.Timeout;
  readonly #release: () => void;
  #pending: string[] = [];
  #drawTimer: NodeJS.Timeout | null = null;
  #run: Run | null = null;
  #live: { callId: string; title: string; startedAtMs: number; text: string } | null = null;
  #lastEventAtMs: number | null = null;
  #connection: 'ok' | 'lost' = 'ok';

  #isAside = false;

  constructor(options: LiveViewOptions) {
    const { io, surface, paint, now, control } = options;
    this.#control = control;
    this.#surface = surface;
    this.#paint = paint;
    this.#now = now;
    this.#rows = new SettledRows(paint, surface.isAscii);
    this.#screen = options.isFull ? new FullScreen(surface) : new Screen(surface);
    this.#tick = setInterval(() => this.#draw(), tickMs);
    const onResize = (): void => this.#draw();
    io.stderr.on?.('resize', onResize);
    const forget = onLeave(io, this.#screen.restore);
    this.#release = () => {
      forget();
      io.stderr.off?.('resize', onResize);
    };
    this.#jobs = new JobControl(
      () => this.#leave(),
      () => this.#enter(),
    );
    const input = options.mayAsk ? keyInputOf(io) : null;
    this.#keys = input === null ? null : new LiveKeys(input, surface.write, this.#keyed(), control);
  }

  run(run: Run): void {
    this.#run = run;
    this.#soon();
  }

  before(event: Event): void {
    this.#rows.remember(event);
  }

  event(event: Event): void {
    this.#lastEventAtMs = this.#now();
    this.#keys?.event(event);
    if (this.#isNarrow()) {
      if (event.importance !== 'low')
        this.#pending.push(`${timeOfDay(event.at)} ${harmlessLine(event.title)}`);
    } else {
      this.#pending.push(...this.#rows.push(event, this.#surface.columns()));
    }
    const callId = callIdOf(event);
    if (event.type === 'run.paused') this.#live = null;
    if (event.type === 'command.started' && callId !== null) this.#open(callId, harmlessLine(event.title));
    else if (this.#live !== null && callId === this.#live.callId && !event.type.endsWith('.started')) {
      this.#live = null;
    }
    this.#soon();
  }

  frame(frame: LiveFrame): void {
    if (frame.kind === 'tool-input') return;
    if (this.#live?.callId !== frame.callId) {
      this.#open(frame.callId, this.#rows.commandOf(frame.callId) ?? titleOf(frame));
    }
    const live = this.#live;
    if (live === null) return;
    live.text = (live.text + frame.text).slice(-liveCharacters);
    this.#soon();
  }

  connection(state: 'lost' | 'back', isHost: boolean): void {
    this.#connection = state === 'lost' ? 'lost' : 'ok';
    if (state === 'back' && isHost) {
      this.#pending.push(this.#paint('warn', ' The other process ended; this one carries the run on.'));
    }
    this.#soon();
  }

  end(): void {
    clearInterval(this.#tick);
    if (this.#drawTimer !== null) clearTimeout(this.#drawTimer);
    this.#release();
    this.#jobs.end();
    this.#keys?.off();
    this.#live = null;
    const panel = this.#isNarrow() ? [] : [...this.#panel(''), ...(this.#keys?.receipts() ?? [])];
    // A pager that is still open has the terminal already to itself.
    this.#screen.end([...this.#takePending(true), ...panel]);
  }

  /** Gives the terminal back as it was, with nothing of the panel left on it. */
  #leave(): void {
    if (this.#isAside) return;
    this.#isAside = true;
    this.#keys?.off();
    this.#screen.leave();
  }

  #enter(): void {
    if (!this.#isAside) return;
    this.#isAside = false;
    this.#screen.enter();
    this.#keys?.on();
    this.#draw();
  }

  #keyed(): KeyedView {
    return {
      paint: this.#paint,
      isAscii: this.#surface.isAscii,
      now: this.#now,
      columns: () => this.#surface.columns(),
      run: () => this.#run,
      redraw: () => this.#soon(),
      say: (text, isBad) => {
        this.#pending.push(this.#paint(isBad ? 'warn' : 'dim', ` ${text}`));
        this.#soon();
      },
      print: (text) => this.#pending.push(...text.replace(/\n$/, '').split('\n')),
      aside: async (work) => {
        this.#leave();
        try {
          await work();
        } finally {
          this.#enter();
        }
      },
      suspend: () => this.#jobs.suspend(),
    };
  }

  #open(callId: string, title: string): void {
    this.#live = { callId, title, startedAtMs: this.#now(), text: '' };
  }

  #isNarrow(): boolean {
    return this.#surface.columns() < minColumns;
  }

  #soon(): void {
    this.#drawTimer ??= setTimeout(() => this.#draw(), drawMs);
  }

  #draw(): void {
    if (this.#drawTimer !== null) clearTimeout(this.#drawTimer);
    this.#drawTimer = null;
    if (this.#isAside) return;
    const keys = this.#keys?.lines(this.#isNarrow()) ?? [];
    const hint = this.#keys !== null ? '' : this.#control.isHost() ? 'Ctrl-C pauses' : 'Ctrl-C detaches';
    const panel = this.#isNarrow() ? keys : [...this.#panel(hint, keys.length), ...keys];
    this.#screen.draw(this.#takePending(false), panel);
  }

  #takePending(isLast: boolean): string[] {
    const pending = this.#pending;
    this.#pending = [];
    return isLast ? [...pending, ...this.#rows.flush(this.#surface.columns())] : pending;
  }

  #panel(hint: string, taken = 0): string[] {
    if (this.#run === null) return [];
    const live = this.#live;
    return panelLines(
      this.#run,
      {
        live:
          live === null
            ? null
            : { title: live.title, startedAtMs: live.startedAtMs, lines: lines(live.text, 8) },
        lastEventAtMs: this.#lastEventAtMs ?? Date.parse(this.#run.status.lastEventAt ?? this.#run.createdAt),
        connection: this.#connection,
        nowMs: this.#now(),
        hint,
      },
      {
        columns: this.#surface.columns(),
        rows: this.#surface.rows() - taken,
        isAscii: this.#surface.isAscii,
      },
      this.#paint,
    );
  }
}

function titleOf(frame: LiveFrame): string {
  return frame.kind === 'output'
    ? frame.callId
    : frame.kind === 'reasoning'
      ? 'model thinks'
      : 'model writes';
}
