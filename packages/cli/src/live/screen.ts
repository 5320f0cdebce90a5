import { stripVTControlCharacters } from 'node:util';
import { textWidth } from '../output/text-width.ts';
import type { Surface } from '../output/surface.ts';

export const hideCursor = '\u001b[?25l';
/** Shows the cursor again; also written when the process leaves at once. */
export const showCursor = '\u001b[?25h';

const clearLine = '\u001b[K';
const clearBelow = '\u001b[J';

/** Where a live view draws. What it is given is harmless already. */
export interface Canvas {
  /** Brings the terminal back, should the process leave at once. */
  readonly restore: string;
  /** Shows `settled` (whole lines) above the panel, and the panel. */
  draw(settled: readonly string[], panel: readonly string[]): void;
  /** Gives the terminal to something else for a while; `enter` takes it again. */
  leave(): void;
  enter(): void;
  /** Leaves these as the last lines. */
  end(lastLines: readonly string[]): void;
}

/**
 * The last lines of a terminal, drawn anew in place, with settled text above them that stays in the scrollback.
 * What it is given is harmless already.
 */
export class Screen implements Canvas {
  readonly restore = showCursor;
  readonly #surface: Surface;
  #drawn: readonly string[] = [];

  constructor(surface: Surface) {
    this.#surface = surface;
    surface.write(hideCursor);
  }

  /** Prints `settled` (whole lines) above the panel and draws the panel. */
  draw(settled: readonly string[], panel: readonly string[]): void {
    if (settled.length === 0 && same(panel, this.#drawn)) return;
    // One write, so that the terminal shows no half-drawn state.
    const text =
      this.#toTop() +
      settled.map((line) => `${this.#whole(line)}\n`).join('') +
      panel.map((line) => this.#whole(line)).join('\n') +
      // What the last panel had more; not where the cursor stands on the last character of a full line.
      (this.#isFull(panel.at(-1) ?? '') ? '' : clearBelow) +
      // At the line's beginning an echoed ^C cannot wrap into a line that nobody counts.
      '\r';
    this.#drawn = panel;
    this.#surface.write(text);
  }

  leave(): void {
    this.end([]);
  }

  enter(): void {
    this.#surface.write(hideCursor);
  }

  /** Takes the panel away, or leaves it as the last lines, and frees the cursor. */
  end(lastLines: readonly string[]): void {
    const lines = lastLines.map((line) => `${this.#whole(line)}\n`).join('');
    this.#surface.write(`${this.#toTop()}${lines}${this.#drawn.length === 0 ? '' : clearBelow}${showCursor}`);
    this.#drawn = [];
  }

  /**
   * Moves to the first row of the panel; a narrower terminal has wrapped what was drawn. Lines are then written over
   * and cleared one by one: clearing a whole screen at once makes some terminals keep it in their history.
   */
  #toTop(): string {
    if (this.#drawn.length === 0) return '';
    const columns = this.#surface.columns();
    const rows = this.#drawn.reduce((sum, line) => sum + Math.max(1, Math.ceil(widthOf(line) / columns)), 0);
    return `\r${rows > 1 ? `\u001b[${rows - 1}A` : ''}`;
  }

  /** A line, and nothing behind it of what stood there. */
  #whole(line: string): string {
    return this.#isFull(line) ? line : `${line}${clearLine}`;
  }

  #isFull(line: string): boolean {
    const width = widthOf(line);
    return width > 0 && width % this.#surface.columns() === 0;
  }
}

function widthOf(line: string): number {
  return textWidth(stripVTControlCharacters(line));
}

function same(one: readonly string[], other: readonly string[]): boolean {
  return one.length === other.length && one.every((line, place) => line === other[place]);
}
