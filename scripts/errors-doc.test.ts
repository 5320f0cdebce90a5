import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { errorsPage, errorsPagePath } from './errors-doc.ts';

test('docs/errors.md is what the registry says (npm run generate mends it)', () => {
  expect(readFileSync(errorsPagePath, 'utf8')).toBe(errorsPage());
});
