import { z } from 'zod';
import { configSchema, secretReferenceSchema } from '../../domain/config/index.ts';

/** What can stand at `path` of a configuration; several where the schema leaves a choice, none beyond it. Pure. */
export function schemasAt(
  path: readonly PropertyKey[],
  root: z.ZodType = configSchema,
): readonly z.ZodType[] {
  let found = bare(root);
  for (const part of path) found = found.flatMap((schema) => below(schema, part));
  return found;
}

/** Whether what stands at `path` is a reference to a secret, and is kept as one. */
export function isSecretAt(path: readonly PropertyKey[]): boolean {
  return schemasAt(path).includes(secretReferenceSchema);
}

/** The keys that a map at `path` may have. */
export function keysAt(path: readonly PropertyKey[]): readonly string[] {
  const keys = schemasAt(path).flatMap((schema) =>
    schema instanceof z.ZodObject ? Object.keys(schema.shape as object) : [],
  );
  return [...new Set(keys)];
}

function below(schema: z.ZodType, part: PropertyKey): readonly z.ZodType[] {
  if (schema instanceof z.ZodObject) {
    const shape = schema.shape as Readonly<Record<PropertyKey, z.ZodType>>;
    return Object.hasOwn(shape, part) ? bare(shape[part]!) : [];
  }
  if (schema instanceof z.ZodArray) return bare(schema.element as z.ZodType);
  if (schema instanceof z.ZodRecord) return bare(schema.valueType as z.ZodType);
  return [];
}

/** Without what only says what happens when it is missing; a union as its options. */
function bare(schema: z.ZodType): readonly z.ZodType[] {
  if (schema instanceof z.ZodUnion) return (schema.options as readonly z.ZodType[]).flatMap(bare);
  if (
    schema instanceof z.ZodOptional ||
    schema instanceof z.ZodDefault ||
    schema instanceof z.ZodPrefault ||
    schema instanceof z.ZodNullable
  ) {
    return bare(schema.unwrap() as z.ZodType);
  }
  return [schema];
}
