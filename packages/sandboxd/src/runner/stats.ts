import { execFile } from 'node:child_process';
import { usageOf } from './process-tree.ts';

/** A tree is measured at most this often: `du` reads every directory. */
const diskEveryMs = 5_000;

/** What the sandbox uses: disk under the given roots, memory and number of its processes. */
export class UsageMeter {
  readonly #roots: readonly string[];
  readonly #markPrefix: string;
  #disk: { readonly atMs: number; readonly bytes: Promise<number> } | null = null;

  constructor(roots: readonly string[], markPrefix: string) {
    this.#roots = roots;
    this.#markPrefix = markPrefix;
  }

  async measure(): Promise<{ diskBytes: number; memoryBytes: number; processes: number }> {
    const nowMs = performance.now();
    if (this.#disk === null || nowMs - this.#disk.atMs > diskEveryMs) {
      this.#disk = { atMs: nowMs, bytes: this.#diskBytes() };
    }
    const own = process.memoryUsage.rss();
    const commands = usageOf({ mark: this.#markPrefix, prefix: true });
    return {
      diskBytes: await this.#disk.bytes,
      memoryBytes: own + commands.memoryBytes,
      processes: commands.processes + 1,
    };
  }

  /** A process of its own does the walk: hundreds of thousands of files would hold up every command here. */
  #diskBytes(): Promise<number> {
    if (this.#roots.length === 0) return Promise.resolve(0);
    return new Promise((resolve) => {
      const options = { timeout: 60_000, maxBuffer: 64 * 1024 * 1024 };
      execFile('du', ['-sxk', '--', ...this.#roots], options, (_error, stdout) => {
        const sizes = stdout.split('\n').map((line) => Number.parseInt(line, 10));
        resolve(sizes.reduce((sum, size) => sum + (Number.isNaN(size) ? 0 : size), 0) * 1024);
      });
    });
  }
}
