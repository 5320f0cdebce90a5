import { spawn, type ChildProcess } from 'node:child_process';
import type { Io } from '../io.ts';

export interface PagerOptions {
  readonly env: Io['env'];
  /** Descriptor of the terminal that the pager writes to. */
  readonly terminal: 1 | 2;
  /** `LESS` unless set: `R` always waits for a key, `FRX` prints what fits on the screen and ends. */
  readonly less: 'R' | 'FRX';
  readonly signal?: AbortSignal;
}

/** What a shell answers when it does not find a program. */
const notFound = 127;

/**
 * Shows a text, harmless already, in `$PAGER` or `less`, and waits for its end.
 * @returns false when there is no pager, or `PAGER` says that none is wanted; then nothing was shown
 */
export async function inPager(text: string, options: PagerOptions): Promise<boolean> {
  const { env, signal } = options;
  const chosen = env['BERTH_PAGER'] ?? env['PAGER'] ?? 'less -R';
  if (chosen.trim() === '' || chosen.trim() === 'cat') return false;
  const stdio = ['pipe', options.terminal, options.terminal] as const;
  const environment = { ...env, LESS: env['LESS'] ?? options.less };
  // A person's own setting, with arguments: what it means is a shell's to say, as for every program with a pager.
  const child = spawn('/bin/sh', ['-c', chosen], { stdio: [...stdio], env: environment });
  const stop = (): void => void child.kill('SIGTERM');
  signal?.addEventListener('abort', stop, { once: true });
  // Ctrl-C in a pager is the pager's; whoever started it only waits.
  try {
    return await ended(child, text);
  } finally {
    signal?.removeEventListener('abort', stop);
  }
}

async function ended(child: ChildProcess, text: string): Promise<boolean> {
  return new Promise((resolve) => {
    child.once('error', () => resolve(false));
    child.once('close', (code) => resolve(code !== notFound));
    // Left before the end of a long text.
    child.stdin?.on('error', () => undefined);
    child.stdin?.end(text);
  });
}
