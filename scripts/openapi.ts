import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { breakingChanges, type Json } from '../packages/server/src/api/openapi-breaking.ts';
import { openapiDocument } from '../packages/server/src/api/openapi-document.ts';

/** The document of the last release: what clients out there were made for. */
const committed = join(import.meta.dirname, '..', 'docs', 'openapi.json');

const now: Json = await openapiDocument();
if (process.argv.includes('--release')) {
  await writeFile(committed, `${JSON.stringify(now, null, 1)}\n`);
  process.stdout.write('docs/openapi.json is that of the present routes.\n');
} else {
  const released = JSON.parse(await readFile(committed, 'utf8')) as Json;
  const breaks = breakingChanges(released, now);
  for (const sentence of breaks) process.stderr.write(`${sentence}\n`);
  if (breaks.length > 0) {
    process.stderr.write('The API of the last release (docs/openapi.json) is broken by these changes.\n');
    process.exitCode = 1;
  }
}
