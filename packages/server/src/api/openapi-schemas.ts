import { jsonSchemaTransformObject } from 'fastify-type-provider-zod';

type TransformObject = typeof jsonSchemaTransformObject;

/**
 * The named schemas that the document refers to, directly or through others. The type provider emits each twice,
 * for reading and for writing, and also those of other rooms.
 */
export const withReferencedSchemas: TransformObject = (input) => {
  const document = jsonSchemaTransformObject(input) as Record<string, unknown> & {
    readonly components?: { readonly schemas?: Readonly<Record<string, unknown>> };
  };
  const schemas = { ...document.components?.schemas };
  const { components: _, ...rest } = document;
  const wanted = new Set<string>();
  const queue = referencesIn(rest);
  for (let name = queue.pop(); name !== undefined; name = queue.pop()) {
    if (wanted.has(name) || schemas[name] === undefined) continue;
    wanted.add(name);
    queue.push(...referencesIn(schemas[name]));
  }
  // The stream's messages are described by name: no route answers them as a document.
  for (const name of ['Event', 'LiveFrame', 'Failure']) if (schemas[name] !== undefined) wanted.add(name);
  const kept = Object.fromEntries(Object.entries(schemas).filter(([name]) => wanted.has(name)));
  return {
    ...document,
    components: { ...document.components, schemas: kept },
  } as ReturnType<TransformObject>;
};

function referencesIn(value: unknown): string[] {
  return [...JSON.stringify(value).matchAll(/"#\/components\/schemas\/([^"]+)"/g)].map((match) => match[1]!);
}
