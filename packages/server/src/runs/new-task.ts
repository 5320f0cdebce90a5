import { basename } from 'node:path';
import { BerthError } from '../domain/errors/index.ts';
import { maxTaskCharacters } from '../domain/task.ts';

/**
 * The text of a task as it is kept.
 * @throws BerthError `TASK_EMPTY`, `TASK_TOO_LONG`
 */
export function checkedTaskText(text: string): string {
  const trimmed = text.trim();
  if (trimmed === '') throw new BerthError('TASK_EMPTY');
  const characters = Array.from(trimmed).length;
  if (characters > maxTaskCharacters) {
    throw new BerthError(
      'TASK_TOO_LONG',
      `The task has ${characters} characters; the most is ${maxTaskCharacters}.`,
    );
  }
  return trimmed;
}

/** What people call a repository: the last part of its address, without `.git`. */
export function projectName(repository: string): string {
  const name = basename(repository.replace(/[/\\]+$/, '')).replace(/\.git$/, '');
  return name === '' ? 'repository' : name.slice(0, 100);
}
