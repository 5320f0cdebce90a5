import type { z } from 'zod';
import { configSchema, type Config } from '../domain/config/index.ts';

/** A configuration as somebody would write it, with the defaults for all else. */
export function configOf(written: Omit<z.input<typeof configSchema>, 'version'>): Config {
  return configSchema.parse({ version: 1, ...written });
}
