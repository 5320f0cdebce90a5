import { harmlessLine, type Event } from '@berth/client';
import type { Paint } from '../output/style.ts';
import { cut, fit, textWidth } from '../output/text-width.ts';
import { timeOfDay } from '../output/units.ts';
import { Housekeeping } from './housekeeping.ts';
import { callIdOf, fields, isReading, readingText, rowOf, toolNameOf, type Row } from './event-text.ts';

/** Purposes of commands whose verdict is an event of its own. */
const judged = new Set<unknown>(['format', 'lint', 'test', 'build']);

/**
 * Turns events into rows for the scrollback: neighbouring reads become one row, the command line of a command
 * stands in the row of its end, the time of day is shown in full when the minute changes.
 */
export class SettledRows {
  readonly #paint: Paint;
  readonly #isAscii: boolean;
  readonly #commands = new Map<string, { readonly line: string; readonly isCheck: boolean }>();
  readonly #tools = new Map<string, string>();
  #reads: { at: string; names: string[] } | null = null;
  #minute = '';
  readonly #housekeeping = new Housekeeping();

  constructor(paint: Paint, isAscii: boolean) {
    this.#paint = paint;
    this.#isAscii = isAscii;
  }

  /** What a call does that has begun and not ended: its command line, or the title of its tool. */
  commandOf(callId: string): string | null {
    return this.#commands.get(callId)?.line ?? this.#tools.get(callId) ?? null;
  }

  /** Takes in what began before the first event that is shown. */
  remember(event: Event): void {
    this.#housekeeping.hides(event);
    const id = callIdOf(event);
    if (id !== null && event.type === 'tool.started') {
      const { input } = fields(event);
      const line = typeof input === 'object' && input !== null && 'command' in input ? input.command : null;
      this.#tools.set(id, typeof line === 'string' ? `$ ${harmlessLine(line)}` : harmlessLine(event.title));
    }
    if (id === null || event.type !== 'command.started') return;
    const { purpose, step } = fields(event);
    const isCheck = typeof step === 'string' && /:(check|verify)\b/.test(step) && judged.has(purpose);
    this.#commands.set(id, { line: harmlessLine(event.title), isCheck });
  }

  push(event: Event, columns: number): string[] {
    if (this.#housekeeping.hides(event)) return [];
    const id = callIdOf(event);
    if (event.type === 'command.started' || event.type === 'tool.started') {
      this.remember(event);
      return [];
    }
    if (id !== null && event.type === 'tool.ended') this.#tools.delete(id);
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
    const known = this.#commands.get(id);
    this.#commands.delete(id);
    const text = `  ${known?.line ?? harmlessLine(id)}`;
    // The verdict follows and shows what failed; the end of the output would say the same again.
    return known?.isCheck === true && row.tone === 'bad' ? { ...row, text, below: [] } : { ...row, text };
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
