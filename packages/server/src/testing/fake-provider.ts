import { LLMock } from '@copilotkit/aimock';
import type { Clock } from '../domain/ports/clock.ts';
import type { Model } from '../domain/ports/model.ts';
import { providerModel } from '../models/provider-model.ts';
import type { ProviderModelConfig } from '../models/provider-model.ts';
import type { Wire } from '../models/wire.ts';
import { contractAnswers } from './model-contract.ts';
import { systemClock } from '../domain/clock.ts';

export const wires: readonly Wire[] = ['anthropic', 'openai', 'openai-compatible'];

/** A key with a shape of its own, to be searched for where it must not be. */
export const fakeKey = 'sk-canary-0123456789abcdef';

const modelNames: Readonly<Record<Wire, string>> = {
  anthropic: 'claude-sonnet-4-5',
  openai: 'gpt-5',
  'openai-compatible': 'qwen3-coder',
};

/** A model that speaks `wire` to a fake server; one attempt only unless `change` says otherwise. */
export function fakeModel(
  wire: Wire,
  url: string,
  change: Partial<ProviderModelConfig> = {},
  clock: Clock = systemClock,
): Model {
  return providerModel(
    {
      id: `${wire}/${modelNames[wire]}`,
      wire,
      modelName: modelNames[wire],
      baseUrl: `${url}/v1`,
      key: () => Promise.resolve(fakeKey),
      contextTokens: 100_000,
      maxOutputTokens: 4000,
      price: { input: 3, output: 15, cacheRead: 0.3, cacheWrite: 3.75 },
      retry: { attempts: 1, totalMs: 1000, firstWaitMs: 1, longestWaitMs: 1 },
      ...change,
    },
    { clock },
  );
}

/** Teaches a fake server the answers of the model contract. */
export function teachContract(mock: LLMock): void {
  const usage = {
    input_tokens: 120,
    output_tokens: 30,
    prompt_tokens: 120,
    completion_tokens: 30,
    total_tokens: 150,
  };
  const { text, tools, after } = contractAnswers;
  const pace = { chunkSize: 6, latency: 2 };
  mock.on({ hasToolResult: true }, { content: after.say, usage });
  mock.on({ userMessage: text.ask }, { content: text.say, usage }, pace);
  const toolCalls = tools.calls.map(({ name, input }, place) => ({
    name,
    arguments: JSON.stringify(input),
    id: `call_contract_${place}`,
  }));
  mock.on({ userMessage: tools.ask }, { content: tools.say, toolCalls, usage }, pace);
}

/** A fake server on loopback that ends with the test. */
export async function startFakeProvider(): Promise<LLMock & AsyncDisposable> {
  const mock = new LLMock({ port: 0, logLevel: 'silent' });
  await mock.start();
  return Object.assign(mock, { [Symbol.asyncDispose]: () => mock.stop() });
}
