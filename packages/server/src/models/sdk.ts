import type { AnthropicProvider } from '@ai-sdk/anthropic';

// The AI SDK's provider contract, taken from what its providers return: the package that declares it is theirs.
export type SdkModel = ReturnType<AnthropicProvider['languageModel']>;
export type SdkCall = Parameters<SdkModel['doStream']>[0];
export type SdkPrompt = SdkCall['prompt'];
export type SdkMessage = SdkPrompt[number];
export type SdkTool = NonNullable<SdkCall['tools']>[number];
export type SdkProviderOptions = NonNullable<SdkCall['providerOptions']>;
type SdkStream = Awaited<ReturnType<SdkModel['doStream']>>['stream'];
export type SdkPart = SdkStream extends ReadableStream<infer Part> ? Part : never;
export type SdkFinish = Extract<SdkPart, { type: 'finish' }>;
