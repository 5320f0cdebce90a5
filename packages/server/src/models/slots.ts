import { BerthError } from '../domain/errors/index.ts';
import type { Clock } from '../domain/ports/clock.ts';
import type { Model, ModelSlot } from '../domain/ports/model.ts';
import { withFallback } from './fallback.ts';
import type { FallbackNotice } from './fallback.ts';
import { factsOf } from './prices.ts';
import type { ModelFactOverrides } from './prices.ts';
import { providerModel } from './provider-model.ts';
import type { KeySource } from './provider-model.ts';
import type { RetryPolicy } from './retry.ts';
import type { Fetch } from './watched-fetch.ts';
import type { Wire } from './wire.ts';

/** The models of a run: each slot leads to one `Model`, which may be a list with fallback. */
export interface ModelSlots {
  model(slot: ModelSlot): Model;
  /** `provider/model` of a slot, in fallback order, for people. */
  ids(slot: ModelSlot): readonly string[];
  /** True when nothing is spent: a cassette stands in for the models. */
  readonly simulated: boolean;
}

/** A server that models are called at. */
export interface ProviderConfig {
  readonly wire: Wire;
  readonly baseUrl?: string;
  readonly key: KeySource;
  readonly retry?: RetryPolicy;
  readonly idleTimeoutMs?: number;
  /** See `ProviderModelConfig`. */
  readonly returnReasoning?: boolean;
}

export interface ModelsConfig {
  /** By the name that stands before the slash of a model's id. */
  readonly providers: Readonly<Record<string, ProviderConfig>>;
  /** Ids (`provider/model`) in fallback order; a slot that is missing or empty uses `primary`. */
  readonly slots: Readonly<Partial<Record<ModelSlot, readonly string[]>>>;
  readonly facts?: ModelFactOverrides;
}

export interface ModelPorts {
  readonly clock: Clock;
  /** The way out: corporate proxy and private CA are its business. */
  readonly fetch?: Fetch;
  readonly onFallback?: (notice: FallbackNotice) => void;
}

/** With another model to go to, half a minute of waiting is enough. */
const impatient: RetryPolicy = { attempts: 4, totalMs: 30_000, firstWaitMs: 1000, longestWaitMs: 15_000 };

/** Slots over provider models. Throws `MODEL_NOT_CONFIGURED` without a primary or for a provider nobody configured. */
export function createModelSlots(config: ModelsConfig, ports: ModelPorts): ModelSlots {
  const primary = config.slots.primary ?? [];
  if (primary.length === 0) throw new BerthError('MODEL_NOT_CONFIGURED');
  const ids = (slot: ModelSlot): readonly string[] => {
    const own = config.slots[slot] ?? [];
    return own.length > 0 ? own : primary;
  };
  const build = (slot: ModelSlot): Model => {
    const list = ids(slot);
    const models = list.map((id, place) => buildModel(id, config, ports, place === list.length - 1));
    return withFallback(models, { clock: ports.clock, onFallback: ports.onFallback });
  };
  const models: Readonly<Record<ModelSlot, Model>> = {
    primary: build('primary'),
    fast: build('fast'),
    condense: build('condense'),
    judge: build('judge'),
  };
  return { model: (slot) => models[slot], ids, simulated: false };
}

/** Slots that all lead to one model: a cassette, or a fake in tests. */
export function singleModelSlots(model: Model): ModelSlots {
  return { model: () => model, ids: () => [model.id], simulated: model.simulated };
}

function buildModel(id: string, config: ModelsConfig, ports: ModelPorts, isLast: boolean): Model {
  const slash = id.indexOf('/');
  const providerName = id.slice(0, Math.max(0, slash));
  const provider = Object.hasOwn(config.providers, providerName) ? config.providers[providerName] : undefined;
  if (provider === undefined) {
    throw new BerthError(
      'MODEL_NOT_CONFIGURED',
      `The model \`${id}\` names no provider that is configured.`,
      {
        next: `Write it as \`provider/model\`; configured: ${Object.keys(config.providers).join(', ') || 'none'}.`,
      },
    );
  }
  const { price, contextTokens, maxOutputTokens } = factsOf(id, config.facts);
  const retry = provider.retry ?? (isLast ? undefined : impatient);
  return providerModel(
    {
      id,
      wire: provider.wire,
      modelName: id.slice(slash + 1),
      key: provider.key,
      contextTokens,
      maxOutputTokens,
      price,
      ...(provider.baseUrl === undefined ? {} : { baseUrl: provider.baseUrl }),
      ...(retry === undefined ? {} : { retry }),
      ...(provider.idleTimeoutMs === undefined ? {} : { idleTimeoutMs: provider.idleTimeoutMs }),
      ...(provider.returnReasoning === undefined ? {} : { returnReasoning: provider.returnReasoning }),
    },
    ports,
  );
}
