export { briefing } from './context/briefing.ts';
export type { Brief, ContextItem } from './context/briefing.ts';
export { repositoryMap } from './context/repository-map.ts';
export type { RulesFile, RulesReader } from './context/rules.ts';
export { foldConversation } from './fold.ts';
export { runAgent } from './loop.ts';
export type { AgentInput, AgentResult } from './loop.ts';
export { messagesOf } from './messages.ts';
export type { AgentModels } from './session.ts';
