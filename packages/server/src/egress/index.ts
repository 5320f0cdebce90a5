export { createEgressDoor, type EgressDoor, type EgressDoorOptions } from './door.ts';
export { askTool, createEcosystems, type EcosystemSource } from './ecosystems.ts';
export { explainEgress, type ExplainInput, type RuleLayer } from './explain.ts';
export { fetchText } from './fetch-text.ts';
export { defaultEgressLimits, type EgressLimits } from './limits.ts';
export { answersDirectory, rememberAnswers } from './remembered-answers.ts';
export { proxyEnv, registryEnv, type SandboxNetwork } from './sandbox-env.ts';
export { defaultRefusedRanges } from './special-ranges.ts';
export { systemResolve, type Resolve } from './upstream.ts';
