import type { Config, CurrentConfig, ModelsSection } from './domain/config/index.ts';
import { BerthError } from './domain/errors/index.ts';
import type { ProjectSettings } from './domain/settings.ts';
import { localSources, type ReadSecret, secretReader } from './secrets/read-secret.ts';
import type { Secret } from './secrets/secret-forms.ts';
import { factsOf, modelsConfigFromEnvironment, type KeySource, type ModelsConfig } from './models/index.ts';

type Environment = Readonly<Record<string, string | undefined>>;
/** A source that answers later is as good as away: the call waits for its key. */
const longestReadMs = 30_000;
type Provider = ModelsSection['providers'][string];

/** What a run's models come from, where the configuration says something about models. */
export interface ConfiguredModels {
  readonly settings: ProjectSettings;
  /** The models section of the pinned revision. */
  readonly models: ModelsSection;
  /** Asked for each call: a provider that was taken out is not called any more, a changed key is used at once. */
  readonly now: CurrentConfig;
  /** Reads what a key refers to; left out: from environment, files and mounted Secrets. */
  readonly read?: ReadSecret;
  /** Told of each key that is read, so that it is redacted everywhere. */
  readonly learn: (secret: Secret) => void;
}

/**
 * The models that the configuration asks for, or null when it leaves them to the environment: it does where it names
 * no primary model and `model` (`--model`) is of no provider of its own.
 * @throws BerthError `MODEL_NOT_CONFIGURED`
 */
export function modelsConfigOf(
  env: Environment,
  configured: ConfiguredModels,
  model: string | null,
): ModelsConfig | null {
  const { settings, models } = configured;
  const { slots } = settings;
  const isOwn = model !== null && Object.hasOwn(models.providers, providerOf(model));
  if (slots.primary === undefined && !isOwn) return null;
  const wanted = model === null ? slots : { ...slots, primary: [model] };
  const names = new Set(Object.values(wanted).flatMap((list) => (list ?? []).map(providerOf)));
  const providers: Record<string, ModelsConfig['providers'][string]> = {};
  for (const name of names) {
    const own = Object.hasOwn(models.providers, name) ? models.providers[name] : undefined;
    providers[name] =
      own === undefined ? fromEnvironment(env, name) : providerConfig(env, name, own, configured);
  }
  return { providers, slots: present(wanted), facts: facts(models) };
}

/** A provider that only a slot names: the environment's, as without a configuration. */
function fromEnvironment(env: Environment, name: string): ModelsConfig['providers'][string] {
  const found = name === 'anthropic' || name === 'openai';
  const config = found ? modelsConfigFromEnvironment(env, `${name}/any`).providers[name] : undefined;
  if (config !== undefined) return config;
  throw new BerthError('MODEL_NOT_CONFIGURED', `The configuration has no model provider ${name}.`);
}

const wires = {
  anthropic: 'anthropic',
  openai: 'openai',
  'openai-compatible': 'openai-compatible',
} as const;

function providerConfig(
  env: Environment,
  name: string,
  pinned: Provider,
  configured: ConfiguredModels,
): ModelsConfig['providers'][string] {
  const read = configured.read ?? secretReader(() => localSources(env));
  const key: KeySource = async () => {
    const present = providerNow(configured.now.current().config, name);
    // A key is only sent where the configuration says now that it goes.
    if (present === null || present.kind !== pinned.kind || present.baseUrl !== pinned.baseUrl) {
      throw new BerthError(
        'MODEL_PROVIDER_REVOKED',
        `The model provider ${name} is no longer configured as it was when this run was planned.`,
      );
    }
    if (present.apiKey === undefined) return null;
    const value = await read(present.apiKey, AbortSignal.timeout(longestReadMs));
    configured.learn({ name: `models.providers.${name}.apiKey`, value });
    return value;
  };
  const { baseUrl } = pinned;
  return { wire: wires[pinned.kind], key, ...(baseUrl === undefined ? {} : { baseUrl: trimmed(baseUrl) }) };
}

function providerNow(config: Config, name: string): Provider | null {
  const { providers } = config.models;
  return Object.hasOwn(providers, name) ? (providers[name] ?? null) : null;
}

function facts(models: ModelsSection): NonNullable<ModelsConfig['facts']> {
  const ids = new Set([...Object.keys(models.prices), ...Object.keys(models.contextTokens)]);
  return Object.fromEntries(
    [...ids].map((id) => {
      const price = models.prices[id];
      const contextTokens = models.contextTokens[id];
      return [
        id,
        {
          ...(price === undefined
            ? {}
            : {
                price:
                  price === 'flat'
                    ? price
                    : {
                        input: price.input,
                        output: price.output,
                        cacheRead: price.cacheRead ?? price.input,
                        cacheWrite: price.cacheWrite ?? price.input,
                      },
              }),
          ...(contextTokens === undefined
            ? {}
            : {
                contextTokens,
                // A small window cannot leave the usual room for an answer.
                maxOutputTokens: Math.min(factsOf(id).maxOutputTokens, Math.floor(contextTokens / 4)),
              }),
        },
      ];
    }),
  );
}

function present(slots: ProjectSettings['slots']): ModelsConfig['slots'] {
  return Object.fromEntries(Object.entries(slots).filter(([, list]) => list !== undefined));
}

function providerOf(model: string): string {
  return model.slice(0, Math.max(0, model.indexOf('/')));
}

function trimmed(url: string): string {
  return url.replace(/\/+$/, '');
}
