import { BerthError } from '../domain/errors/index.ts';
import type { ModelPrice } from '../domain/ports/model.ts';
import type { ModelFacts } from './prices.ts';
import { factsOf } from './prices.ts';
import type { KeySource } from './provider-model.ts';
import { createModelSlots } from './slots.ts';
import type { ModelPorts, ModelsConfig, ModelSlots, ProviderConfig } from './slots.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** Defaults per provider: who leads, and who is cheap enough for `fast` and `condense`. */
const defaults = {
  anthropic: { primary: 'anthropic/claude-sonnet-5', cheap: 'anthropic/claude-haiku-4-5' },
  openai: { primary: 'openai/gpt-6-sol', cheap: 'openai/gpt-6-luna' },
} as const;

/** Compatible servers whose prices the table knows, by host. */
const pricedHosts: Readonly<Record<string, string>> = {
  'api.deepseek.com': 'deepseek',
  'api.groq.com': 'groq',
  'api.mistral.ai': 'mistral',
  'api.cerebras.ai': 'cerebras',
  'api.fireworks.ai': 'fireworks',
  'api.moonshot.ai': 'moonshotai',
  'api.together.xyz': 'together',
  'api.x.ai': 'xai',
  'api.z.ai': 'zai',
};

/** Those that refuse fields they do not know, `reasoning_content` among them. */
const strictServers = new Set(['groq', 'mistral', 'cerebras']);

/**
 * The models that the environment asks for.
 *
 * - `BERTH_BASE_URL` with `BERTH_MODEL`: a server of the user's choice; only `BERTH_API_KEY` is ever sent there.
 *   A model written `anthropic/…` or `openai/…` is spoken to in that provider's own language, everything else
 *   (`openai-compatible/…` or a bare name, slashes included) as chat completions. `BERTH_MODEL_PRICE` (`flat` or
 *   `INPUT,OUTPUT[,CACHE_READ,CACHE_WRITE]`, US dollars per million tokens) and `BERTH_MODEL_CONTEXT` (tokens)
 *   tell what the table cannot know.
 * - otherwise `BERTH_MODEL` (`anthropic/…`, `openai/…`, or a bare name of whichever key is set) with that
 *   provider's key, or that provider's default model. Anthropic first when both keys are set: nothing is ever
 *   sent to two providers unless the configuration says so. `ANTHROPIC_BASE_URL` and `OPENAI_BASE_URL` are heard.
 *
 * `model` (`--model`) stands for `BERTH_MODEL`. Throws `MODEL_NOT_CONFIGURED`.
 */
export function modelsFromEnvironment(env: Environment, ports: ModelPorts, model?: string): ModelSlots {
  return createModelSlots(modelsConfigFromEnvironment(env, model), ports);
}

/** The configuration behind `modelsFromEnvironment`, for those who show or change it first. Pure. */
export function modelsConfigFromEnvironment(env: Environment, model?: string): ModelsConfig {
  const asked = nonEmpty(model) ?? nonEmpty(env['BERTH_MODEL']);
  const baseUrl = nonEmpty(env['BERTH_BASE_URL']);
  if (baseUrl !== undefined) return ownServer(env, asked, checkedUrl(baseUrl, 'BERTH_BASE_URL'));
  const keys = { anthropic: nonEmpty(env['ANTHROPIC_API_KEY']), openai: nonEmpty(env['OPENAI_API_KEY']) };
  const named = asked === undefined ? null : /^(anthropic|openai)\/(.+)$/.exec(asked);
  const provider = (named?.[1] ?? (keys.anthropic !== undefined ? 'anthropic' : 'openai')) as
    | 'anthropic'
    | 'openai';
  const key = keys[provider];
  if (key === undefined) throw notConfigured(asked, provider);
  if (asked !== undefined && named === null && asked.includes('/')) throw notConfigured(asked, provider);
  const primary = asked === undefined ? defaults[provider].primary : `${provider}/${named?.[2] ?? asked}`;
  const { cheap } = defaults[provider];
  const aside = primary === cheap ? [primary] : [cheap, primary];
  return {
    providers: { [provider]: hosted(env, provider, key) },
    slots: { primary: [primary], fast: aside, condense: aside, judge: [primary] },
    facts: factsFromEnvironment(env, primary),
  };
}

function ownServer(env: Environment, asked: string | undefined, baseUrl: string): ModelsConfig {
  if (asked === undefined) {
    throw new BerthError('MODEL_NOT_CONFIGURED', 'BERTH_BASE_URL is set, but no model is named.', {
      next: 'Set BERTH_MODEL to the name of a model of that server.',
    });
  }
  const key = nonEmpty(env['BERTH_API_KEY']) ?? null;
  const [, wireName, modelName] = /^(anthropic|openai|openai-compatible)\/(.+)$/.exec(asked) ?? [];
  const wire = (wireName ?? 'openai-compatible') as ProviderConfig['wire'];
  const known = pricedHosts[new URL(baseUrl).hostname];
  const provider = wire === 'openai-compatible' ? (known ?? wire) : wire;
  const id = `${provider}/${modelName ?? asked}`;
  return {
    providers: {
      [provider]: { wire, baseUrl, key: constant(key), returnReasoning: !strictServers.has(provider) },
    },
    slots: { primary: [id] },
    facts: factsFromEnvironment(env, id),
  };
}

function hosted(env: Environment, provider: 'anthropic' | 'openai', key: string): ProviderConfig {
  const name = provider === 'anthropic' ? 'ANTHROPIC_BASE_URL' : 'OPENAI_BASE_URL';
  const baseUrl = nonEmpty(env[name]);
  if (baseUrl === undefined) return { wire: provider, key: constant(key) };
  const url = checkedUrl(baseUrl, name);
  // ANTHROPIC_BASE_URL is written without the version by custom, OPENAI_BASE_URL with it.
  const isBare = provider === 'anthropic' && !/\/v\d+$/.test(url);
  return { wire: provider, key: constant(key), baseUrl: isBare ? `${url}/v1` : url };
}

/** A base URL without trailing slashes; what is no http(s) URL, or carries a password, is refused without being shown. */
function checkedUrl(text: string, name: string): string {
  const url = URL.parse(text);
  const isWeb = url !== null && (url.protocol === 'https:' || url.protocol === 'http:');
  if (!isWeb || url.username !== '' || url.password !== '') {
    throw new BerthError('MODEL_NOT_CONFIGURED', `${name} is not an http(s) URL without user and password.`, {
      next: `Set ${name} to something like https://host/v1, and the key in its own variable.`,
    });
  }
  return text.replace(/\/+$/, '');
}

function factsFromEnvironment(env: Environment, id: string): Readonly<Record<string, Partial<ModelFacts>>> {
  const price = priceFromText(nonEmpty(env['BERTH_MODEL_PRICE']));
  const context = nonEmpty(env['BERTH_MODEL_CONTEXT']);
  const contextTokens = context === undefined ? undefined : Number(context);
  if (contextTokens !== undefined && !(Number.isInteger(contextTokens) && contextTokens > 0)) {
    throw new BerthError('MODEL_NOT_CONFIGURED', 'BERTH_MODEL_CONTEXT is not a number of tokens.', {
      next: 'Set it to the size of the context window of the model, such as 131072.',
    });
  }
  // A small window cannot leave the usual room for an answer.
  const most =
    contextTokens === undefined
      ? undefined
      : Math.min(factsOf(id).maxOutputTokens, Math.floor(contextTokens / 4));
  return {
    [id]: {
      ...(price === undefined ? {} : { price }),
      ...(contextTokens === undefined ? {} : { contextTokens }),
      ...(most === undefined ? {} : { maxOutputTokens: most }),
    },
  };
}

function priceFromText(text: string | undefined): ModelPrice | 'flat' | undefined {
  if (text === undefined) return undefined;
  if (text === 'flat') return 'flat';
  const [input, output, cacheRead, cacheWrite, ...rest] = text
    .split(',')
    .map((item) => (item.trim() === '' ? Number.NaN : Number(item)));
  const all = [input, output, cacheRead ?? 0, cacheWrite ?? 0];
  if (
    rest.length > 0 ||
    input === undefined ||
    output === undefined ||
    !all.every((item) => item !== undefined && item >= 0 && item < Infinity)
  ) {
    throw new BerthError(
      'MODEL_NOT_CONFIGURED',
      'BERTH_MODEL_PRICE is neither `flat` nor a list of prices.',
      {
        next: 'Set it to `flat` or to `INPUT,OUTPUT[,CACHE_READ,CACHE_WRITE]` in US dollars per million tokens.',
      },
    );
  }
  return { input, output, cacheRead: cacheRead ?? input, cacheWrite: cacheWrite ?? input };
}

function notConfigured(asked: string | undefined, provider: 'anthropic' | 'openai'): BerthError {
  if (asked === undefined) return new BerthError('MODEL_NOT_CONFIGURED');
  const variable = provider === 'anthropic' ? 'ANTHROPIC_API_KEY' : 'OPENAI_API_KEY';
  return new BerthError('MODEL_NOT_CONFIGURED', `There is no key or server for the model \`${asked}\`.`, {
    next: `Set ${variable} for \`${provider}/…\`, or BERTH_BASE_URL for a server of your own.`,
  });
}

const nonEmpty = (text: string | undefined): string | undefined =>
  text === undefined || text.trim() === '' ? undefined : text.trim();

const constant =
  (key: string | null): KeySource =>
  () =>
    Promise.resolve(key);
