import type { Surface } from '../output/surface.ts';
import { hideCursor, showCursor, type Canvas } from './screen.ts';

/** The second screen of a terminal, without wrapping: a line too wide after a resize is cut, not folded. */
const open = `\u001b[?1049h\u001b[?7l${hideCursor}`;
const close = `\u001b[?7h\u001b[?1049l${showCursor}`;
/** Settled rows kept for a terminal that grows. */
const keptRows = 500;

/** The whole terminal (`--full`): the newest settled rows above, the panel below; nothing of it stays. */
export class FullScreen implements Canvas {
  readonly restore = close;
  readonly #surface: Surface;
  #rows: string[] = [];

  constructor(surface: Surface) {
    this.#surface = surface;
    this.enter();
  }

  draw(settled: readonly string[], panel: readonly string[]): void {
    this.#rows = [...this.#rows, ...settled].slice(-keptRows);
    const room = Math.max(0, this.#surface.rows() - panel.length);
    const shown = room === 0 ? [] : this.#rows.slice(-room);
    const blank = Array.from({ length: room - shown.length }, () => '');
    const lines = [...shown, ...blank, ...panel].slice(0, this.#surface.rows());
    this.#surface.write(`\u001b[H${lines.map((line) => `${line}\u001b[K`).join('\r\n')}\u001b[J`);
  }

  enter(): void {
    this.#surface.write(open);
  }

  leave(): void {
    this.#surface.write(close);
  }

  end(lastLines: readonly string[]): void {
    this.leave();
    this.#surface.write(lastLines.map((line) => `${line}\n`).join(''));
  }
}
