import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { errorRegistry } from '../packages/server/src/domain/errors/index.ts';

/** The page of all error codes, made from the registry. */
export function errorsPage(): string {
  const rows = Object.entries(errorRegistry)
    .toSorted(([one], [other]) => (one < other ? -1 : 1))
    .map(
      ([code, { sentence, next, retryable, exit }]) =>
        `| \`${code}\` | ${cell(sentence)} | ${cell(next)} | ${retryable ? 'yes' : 'no'} | ${exit} |`,
    );
  return [
    '# Error codes',
    '',
    'Every failure, refusal and wait has a code. This page is generated from the registry in',
    '`packages/server/src/domain/errors` (`npm run generate`); the sentence shown may be more exact than the one here.',
    '',
    '| code | what it says | what to do | retry can help | exit code |',
    '|---|---|---|---|---|',
    ...rows,
    '',
  ].join('\n');
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('\n', ' ');
}

/** Where the page lies in the checkout. */
export const errorsPagePath = join(import.meta.dirname, '..', 'docs', 'errors.md');

if (import.meta.main) {
  const page = errorsPage();
  const before = (() => {
    try {
      return readFileSync(errorsPagePath, 'utf8');
    } catch {
      return null;
    }
  })();
  if (before !== page) writeFileSync(errorsPagePath, page);
}
