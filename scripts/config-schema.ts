import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { configJsonSchema } from '../packages/server/src/config/json-schema.ts';

/** Where editors find the schema of `berth.yaml` in the checkout. */
export const configSchemaPath = join(import.meta.dirname, '..', 'docs', 'berth.schema.json');

/** The file's text for the present schema. */
export function configSchemaText(): string {
  return `${JSON.stringify(configJsonSchema(), null, 2)}\n`;
}

if (import.meta.main) {
  const text = configSchemaText();
  const before = (() => {
    try {
      return readFileSync(configSchemaPath, 'utf8');
    } catch {
      return null;
    }
  })();
  if (before !== text) writeFileSync(configSchemaPath, text);
}
