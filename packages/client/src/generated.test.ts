import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { generate, generatedPath } from './generate.ts';

test('the committed types are those of the present routes (npm run generate -w @berth/client)', async () => {
  expect(await readFile(generatedPath, 'utf8')).toBe(await generate());
});
