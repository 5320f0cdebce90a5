import { openConfig, type OpenConfig, type OpenConfigOptions } from '../config/open-config.ts';
import { checkedRepository } from '../runs/checked-repository.ts';
import { checkBlueprint } from './check-config.ts';

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
