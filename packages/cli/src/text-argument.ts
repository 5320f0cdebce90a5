import { text as readAll } from 'node:stream/consumers';
import type { CommandContext } from './command-context.ts';
import { failure } from './failure.ts';

/**
 * A text given as an argument; `-`: from standard input.
 * @throws ApiFailure `TASK_EMPTY`
 */
export async function textOf(context: CommandContext, given: string | undefined): Promise<string> {
  const text = given === '-' ? await readAll(context.io.stdin) : (given ?? '');
  if (text.trim() === '') throw failure('TASK_EMPTY', 'The task has no text.');
  return text;
}
