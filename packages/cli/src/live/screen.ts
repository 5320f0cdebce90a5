import { stripVTControlCharacters } from 'node:util';
import { textWidth } from '../output/text-width.ts';
import type { Surface } from '../output/surface.ts';

export const hideCursor = '\u001b[?25l';
/** Shows the cursor again; also written when the process leaves at once. */
export const showCursor = '\u001b[?25h';

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
      this.#erased() +
      settled.map((line) => `${line}\n`).join('') +
      panel.join('\n') +
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
    this.#surface.write(`${this.#erased()}${lastLines.map((line) => `${line}\n`).join('')}${showCursor}`);
    this.#drawn = [];
  }

  /** Moves to the first row of the panel and clears from there. A narrower terminal has wrapped what was drawn. */
  #erased(): string {
    if (this.#drawn.length === 0) return '';
    const columns = this.#surface.columns();
    const rows = this.#drawn.reduce(
      (sum, line) => sum + Math.max(1, Math.ceil(textWidth(stripVTControlCharacters(line)) / columns)),
      0,
    );
    return `\r${rows > 1 ? `\u001b[${rows - 1}A` : ''}\u001b[J`;
  }
}

function same(one: readonly string[], other: readonly string[]): boolean {
  return one.length === other.length && one.every((line, place) => line === other[place]);
}
