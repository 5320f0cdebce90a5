import { parseBlueprint } from '../blueprints/parse.ts';
import { openConfig, type OpenConfig, type OpenConfigOptions } from '../config/open-config.ts';
import { parseConfig, type ParsedConfig } from '../config/parse/index.ts';
import { asBerthError } from '../domain/errors/index.ts';
import { checkedRepository } from '../runs/checked-repository.ts';

/** What is wrong with a blueprint that stands in the configuration; null: nothing. */
export function checkBlueprint(text: string): string | null {
  try {
    parseBlueprint(text, 'blueprint');
    return null;
  } catch (error) {
    return asBerthError(error).message;
  }
}

/** Opens the configuration with what the rooms above its own know: blueprints, and the one form of an address. */
export function openServerConfig(
  options: Pick<OpenConfigOptions, 'db' | 'home' | 'env' | 'onProblem'> & { readonly signal: AbortSignal },
): Promise<OpenConfig> {
  const { signal, ...rest } = options;
  return openConfig({
    ...rest,
    checkBlueprint,
    canonicalRepository: (repository) => checkedRepository(repository, signal),
  });
}

/** `berth config check`: looks at a file without a server or a database. Never throws. */
export function checkConfigText(
  text: string,
  env: Readonly<Record<string, string | undefined>>,
): ParsedConfig {
  return parseConfig(text, { env, checkBlueprint });
}
