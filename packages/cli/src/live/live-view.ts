import { harmlessLine, type Event, type LiveFrame, type Run } from '@berth/client';
import { onLeave } from '../interrupt.ts';
import type { Io } from '../io.ts';
import type { Paint } from '../output/style.ts';
import type { Surface } from '../output/surface.ts';
import { timeOfDay } from '../output/units.ts';
import { callIdOf, lines } from './event-text.ts';
import { panelLines } from './panel.ts';
import { Screen, showCursor } from './screen.ts';
import { SettledRows } from './settled-rows.ts';
import type { View } from './view.ts';

/** Under this width a panel does not fit: plain lines are printed instead. */
const minColumns = 60;
/** Least time between two drawings, and the beat of the clocks. */
const drawMs = 80;
const tickMs = 1_000;
/** Characters kept of a call's live output; only its last lines are shown. */
const liveCharacters = 8_192;

/** The live view of a terminal: settled rows scroll by, the last lines are the run as it is now. */
export class LiveView implements View {
  readonly #surface: Surface;
  readonly #paint: Paint;
  readonly #now: () => number;
  readonly #hint: string;
  readonly #rows: SettledRows;
  readonly #screen: Screen;
  readonly #tick: NodeJS.Timeout;
  readonly #release: () => void;
  #pending: string[] = [];
  #drawTimer: NodeJS.Timeout | null = null;
  #run: Run | null = null;
  #live: { callId: string; title: string; startedAtMs: number; text: string } | null = null;
  #lastEventAtMs: number | null = null;
  #connection: 'ok' | 'lost' = 'ok';

  constructor(io: Io, surface: Surface, paint: Paint, now: () => number, hint: string) {
    this.#hint = hint;
    this.#surface = surface;
    this.#paint = paint;
    this.#now = now;
    this.#rows = new SettledRows(paint, surface.isAscii);
    this.#screen = new Screen(surface);
    this.#tick = setInterval(() => this.#draw(), tickMs);
    const onResize = (): void => this.#draw();
    io.stderr.on?.('resize', onResize);
    const forget = onLeave(io, showCursor);
    this.#release = () => {
      forget();
      io.stderr.off?.('resize', onResize);
    };
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
    if (this.#isNarrow()) {
      if (event.importance !== 'low')
        this.#pending.push(`${timeOfDay(event.at)} ${harmlessLine(event.title)}`);
    } else {
      this.#pending.push(...this.#rows.push(event, this.#surface.columns()));
    }
    const callId = callIdOf(event);
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
    this.#live = null;
    const panel = this.#isNarrow() ? [] : this.#panel('');
    this.#screen.end([...this.#takePending(true), ...panel]);
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
    this.#screen.draw(this.#takePending(false), this.#isNarrow() ? [] : this.#panel(this.#hint));
  }

  #takePending(isLast: boolean): string[] {
    const pending = this.#pending;
    this.#pending = [];
    return isLast ? [...pending, ...this.#rows.flush(this.#surface.columns())] : pending;
  }

  #panel(hint: string): string[] {
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
      { columns: this.#surface.columns(), rows: this.#surface.rows(), isAscii: this.#surface.isAscii },
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
