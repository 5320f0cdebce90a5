import type { Paint, Tone } from './style.ts';
import { fit, textWidth } from './text-width.ts';
import type { Surface } from './surface.ts';

export interface Cell {
  readonly text: string;
  /** For pipes, where nothing is shortened or relative; `text` unless given. */
  readonly plain?: string;
  readonly tone?: Tone;
}

export interface Column {
  readonly title: string;
  readonly side?: 'left' | 'right';
  /** Gives way first when the terminal is narrow; may shrink to ten columns. */
  readonly isFlexible?: boolean;
}

/** Aligned columns with a heading on a TTY, tab-separated lines without one elsewhere. */
export function table(
  surface: Surface,
  paint: Paint,
  columns: readonly Column[],
  rows: readonly (readonly Cell[])[],
): string {
  if (!surface.isTty) {
    return rows.map((row) => `${row.map((cell) => cell.plain ?? cell.text).join('\t')}\n`).join('');
  }
  if (rows.length === 0) return '';
  const widths = columns.map((column, place) =>
    Math.max(textWidth(column.title), ...rows.map((row) => textWidth(row[place]?.text ?? ''))),
  );
  const gaps = 2 * (columns.length - 1);
  for (let flexible = columns.length - 1; flexible >= 0; flexible -= 1) {
    if (columns[flexible]!.isFlexible !== true) continue;
    const over = widths.reduce((sum, width) => sum + width, gaps) - surface.columns();
    if (over > 0) widths[flexible] = Math.max(10, widths[flexible]! - over);
  }
  const line = (cells: readonly Cell[]): string =>
    `${cells
      .map((cell, place) => {
        const column = columns[place]!;
        const isLast = place === columns.length - 1 && column.side !== 'right';
        const text = fit(cell.text, widths[place]!, column.side);
        return painted(paint, isLast ? text.trimEnd() : text, cell.tone);
      })
      .join('  ')
      .trimEnd()}\n`;
  return line(columns.map(({ title }) => ({ text: title, tone: 'dim' }))) + rows.map(line).join('');
}

function painted(paint: Paint, text: string, tone: Tone | undefined): string {
  return tone === undefined ? text : paint(tone, text);
}
