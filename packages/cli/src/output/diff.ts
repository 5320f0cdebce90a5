import type { Paint } from './style.ts';

/** A unified diff, made harmless before, with its lines coloured. */
export function colouredDiff(diff: string, paint: Paint): string {
  return diff
    .split('\n')
    .map((line) => {
      if (line.startsWith('+++') || line.startsWith('---') || line.startsWith('diff '))
        return paint('bold', line);
      if (line.startsWith('+')) return paint('good', line);
      if (line.startsWith('-')) return paint('bad', line);
      return line.startsWith('@@') ? paint('signal', line) : line;
    })
    .join('\n');
}
