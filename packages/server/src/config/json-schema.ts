import { z } from 'zod';
import { configSchema } from '../domain/config/index.ts';

/** The JSON Schema of `berth.yaml`, for editors. Rules between objects are only known to `berth config check`. */
export function configJsonSchema(): Readonly<Record<string, unknown>> {
  const { $schema, ...schema } = z.toJSONSchema(configSchema, { io: 'input', target: 'draft-2020-12' });
  return {
    $schema,
    title: 'berth.yaml',
    description: 'Configuration of a Berth installation (docs/configuration.md).',
    ...schema,
  };
}
