import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { configSchemaPath, configSchemaText } from './config-schema.ts';

test('the schema file for editors is that of the present configuration', () => {
  expect(readFileSync(configSchemaPath, 'utf8')).toBe(configSchemaText());
});
