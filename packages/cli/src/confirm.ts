import { createInterface } from 'node:readline/promises';
import type { CommandContext } from './command-context.ts';
import { failure } from './failure.ts';

/**
 * Asks on stderr, and goes on only after a yes.
 * @throws ApiFailure `USAGE` when there is nobody to ask, or the answer is no
 */
export async function confirm(context: CommandContext, question: string): Promise<void> {
  if (!context.mayAsk) {
    throw failure('USAGE', 'There is nobody to ask.', 'Name what you mean by its id, or say --yes.');
  }
  const reader = createInterface({ input: process.stdin, output: process.stderr });
  // Ctrl-C and the end of input are a no.
  const stop = new AbortController();
  reader.once('SIGINT', () => stop.abort()).once('close', () => stop.abort());
  try {
    const answer = await reader.question(`${question} [y/N] `, { signal: stop.signal }).catch(() => '');
    if (!/^y(es)?$/i.test(answer.trim())) throw failure('USAGE', 'Not confirmed; nothing was done.');
  } finally {
    reader.close();
  }
}
