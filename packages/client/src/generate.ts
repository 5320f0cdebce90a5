import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import openapiTS, { astToString } from 'openapi-typescript';

/** The committed file. */
export const generatedPath = join(import.meta.dirname, 'generated', 'api.ts');

/** Text of `generated/api.ts` for the server's present routes. Only the tool chain calls this: it needs the server's source. */
export async function generate(): Promise<string> {
  const { openapiDocument } = await import('../../server/src/api/openapi-document.ts');
  const nodes = await openapiTS(structuredClone(await openapiDocument()) as never, { alphabetize: true });
  return `// Generated from the OpenAPI document by \`npm run generate\`; do not edit.\n\n${astToString(nodes)}`;
}

if (import.meta.main) await writeFile(generatedPath, await generate());
