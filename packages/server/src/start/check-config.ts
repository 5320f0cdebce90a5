import { parseBlueprint } from '../blueprints/parse.ts';
import { parseConfig, type ParsedConfig } from '../config/parse/index.ts';
import { asBerthError } from '../domain/errors/index.ts';

/** What is wrong with a blueprint that stands in the configuration; null: nothing. */
export function checkBlueprint(text: string): string | null {
  try {
    parseBlueprint(text, 'blueprint');
    return null;
  } catch (error) {
    return asBerthError(error).message;
  }
}

/** `berth config check`: looks at a file without a server or a database. Never throws. */
export function checkConfigText(
  text: string,
  env: Readonly<Record<string, string | undefined>>,
): ParsedConfig {
  return parseConfig(text, { env, checkBlueprint });
}
