/** The room's public face: everything other rooms use of it. */
export { cassetteModel, readCassette } from './cassette/play.ts';
export type { PlayOptions } from './cassette/play.ts';
export { recordingModel } from './cassette/record.ts';
export type { RecordOptions } from './cassette/record.ts';
export { script } from './cassette/script.ts';
export type { ScriptedAnswer, ScriptOptions } from './cassette/script.ts';
export { cassetteText, parseCassette } from './cassette/format.ts';
export type { Cassette, CassetteEntry } from './cassette/format.ts';
export { modelsConfigFromEnvironment, modelsFromEnvironment } from './environment.ts';
export { estimateGrownTokens, estimateTokens, textTokens } from './estimate.ts';
export { withFallback } from './fallback.ts';
export type { FallbackNotice } from './fallback.ts';
export { clampOutput, costUsd, factsOf, priceOf, upperBoundUsd } from './prices.ts';
export type { ModelFactOverrides, ModelFacts } from './prices.ts';
export { providerModel } from './provider-model.ts';
export type { KeySource, ProviderModelConfig } from './provider-model.ts';
export { createModelSlots, singleModelSlots } from './slots.ts';
export type { ModelPorts, ModelsConfig, ModelSlots, ProviderConfig } from './slots.ts';
