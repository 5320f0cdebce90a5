import type { SdkModel } from './sdk.ts';
import type { Fetch } from './watched-fetch.ts';
import type { Wire } from './wire.ts';

type MakeModel = (settings: {
  readonly baseURL: string;
  readonly key: string | null;
  readonly fetch: Fetch;
  readonly modelName: string;
}) => SdkModel;

/**
 * Loads the SDK's package for one wire, once (Node keeps modules): a server without models, or a run from a
 * cassette, need not spend the time and memory.
 */
export async function loadSdk(wire: Wire): Promise<MakeModel> {
  switch (wire) {
    case 'anthropic': {
      const { createAnthropic } = await import('@ai-sdk/anthropic');
      return ({ baseURL, key, fetch, modelName }) =>
        createAnthropic({ baseURL, apiKey: key ?? 'none', fetch }).languageModel(modelName);
    }
    case 'openai': {
      const { createOpenAI } = await import('@ai-sdk/openai');
      return ({ baseURL, key, fetch, modelName }) =>
        createOpenAI({ baseURL, apiKey: key ?? 'none', fetch }).responses(modelName);
    }
    case 'openai-compatible': {
      const { createOpenAICompatible } = await import('@ai-sdk/openai-compatible');
      return ({ baseURL, key, fetch, modelName }) =>
        createOpenAICompatible({
          name: 'compatible',
          baseURL,
          ...(key === null ? {} : { apiKey: key }),
          includeUsage: true,
          fetch,
        }).chatModel(modelName);
    }
  }
}

const defaultBaseUrls: Readonly<Record<Wire, string>> = {
  anthropic: 'https://api.anthropic.com/v1',
  openai: 'https://api.openai.com/v1',
  // Where llama.cpp's server listens; the configuration always names one.
  'openai-compatible': 'http://127.0.0.1:8080/v1',
};

/** A model of the SDK for one call; every setting is given, so that the SDK reads nothing from the environment. */
export async function sdkModel(
  server: { readonly wire: Wire; readonly baseUrl?: string; readonly modelName: string },
  key: string | null,
  fetch: Fetch,
): Promise<SdkModel> {
  const make = await loadSdk(server.wire);
  return make({
    baseURL: server.baseUrl ?? defaultBaseUrls[server.wire],
    key,
    fetch,
    modelName: server.modelName,
  });
}
