import { harmlessLine, type Event } from '@berth/client';
import type { Paint } from '../output/style.ts';
import { cut, fit, textWidth } from '../output/text-width.ts';
import { timeOfDay } from '../output/units.ts';
import { Housekeeping } from './housekeeping.ts';
import { callIdOf, isReading, readingText, rowOf, toolNameOf, type Row } from './event-text.ts';

/**
 * Turns events into rows for the scrollback: neighbouring reads become one row, the command line of a command
 * stands in the row of its end, the time of day is shown in full when the minute changes.
 */
export class SettledRows {
  readonly #paint: Paint;
  readonly #isAscii: boolean;
  readonly #commands = new Map<string, string>();
  #reads: { at: string; names: string[] } | null = null;
  #minute = '';
  readonly #housekeeping = new Housekeeping();

  constructor(paint: Paint, isAscii: boolean) {
    this.#paint = paint;
    this.#isAscii = isAscii;
  }

  /** Command line of a call that has begun and not ended. */
  commandOf(callId: string): string | null {
    return this.#commands.get(callId) ?? null;
  }

  push(event: Event, columns: number): string[] {
    if (this.#housekeeping.hides(event)) return [];
    const id = callIdOf(event);
    if (event.type === 'command.started' && id !== null) {
      this.#commands.set(id, harmlessLine(event.title));
      return [];
    }
    if (isReading(event)) {
      this.#reads ??= { at: event.at, names: [] };
      this.#reads.names.push(toolNameOf(event));
      return [];
    }
    const row = rowOf(event);
    if (row === null) return [];
    const before = this.flush(columns);
    const shown = event.type === 'command.ended' && id !== null ? this.#command(row, id) : row;
    return [...before, ...this.#lines(event.at, shown, columns)];
  }

  /** The row of reads that waits for more of its kind. */
  flush(columns: number): string[] {
    const reads = this.#reads;
    this.#reads = null;
    if (reads === null) return [];
    return this.#lines(
      reads.at,
      { text: `  ${readingText(reads.names)}`, facts: '', tone: 'dim', mark: '', below: [] },
      columns,
    );
  }

  #command(row: Row, id: string): Row {
    const line = this.#commands.get(id) ?? harmlessLine(id);
    this.#commands.delete(id);
    return { ...row, text: `  ${line}` };
  }

  #lines(at: string, row: Row, columns: number): string[] {
    const width = columns - 1;
    const time = timeOfDay(at);
    const minute = time.slice(0, 5);
    const shownTime = minute === this.#minute ? `     ${time.slice(5)}` : time;
    this.#minute = minute;
    const room = width - 11;
    const marked = this.#isAscii ? row.text : `${row.mark === '' ? ' ' : row.mark} ${row.text}`;
    const text =
      row.facts === ''
        ? cut(marked, room)
        : `${fit(marked, Math.max(10, room - textWidth(row.facts) - 2))}  ${row.facts}`;
    const bar = this.#isAscii ? '|' : '│';
    return [
      ` ${this.#paint('dim', shownTime)}  ${row.tone === null ? text : this.#paint(row.tone, text)}`,
      ...row.below.map((line) => this.#paint('dim', cut(`            ${bar} ${line}`, width))),
    ];
  }
}
