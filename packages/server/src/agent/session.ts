import type { NewEvent, StoredEvent } from '../domain/events/index.ts';
import type { Model, ModelRequest, ToolSpec } from '../domain/ports/model.ts';
import type { RunContext } from '../domain/ports/run-context.ts';
import { estimateTokens } from '../models/index.ts';
import { builtinTools } from '../tools/index.ts';
import type { Tool } from '../tools/tool.ts';
import type { RulesReader } from './context/rules.ts';
import type { Conversation } from './conversation.ts';
import { emptyConversation } from './conversation.ts';
import { foldEvent } from './fold.ts';
import { messagesOf } from './messages.ts';

/** The models of the slots an agent uses; fallback within a slot is the model's own business. */
export interface AgentModels {
  readonly primary: Model;
  readonly condense: Model;
}

const builtinSpecs: readonly ToolSpec[] = builtinTools.map((tool) => tool.spec);

/** One agent step under way: the run, its models, and the conversation as far as it was read from the log. */
export class Session {
  readonly ctx: RunContext;
  readonly step: string;
  readonly models: AgentModels;
  readonly rules: RulesReader;
  readonly tools: readonly Tool[] = builtinTools;
  readonly specs = builtinSpecs;
  /** Directories that were looked at and have no rules files: nothing to store, so only remembered here. */
  readonly withoutRules = new Set<string>();
  /** Set when the provider says that the conversation is too long, whatever our estimate was. */
  mustCondense = false;
  #conversation: Conversation = emptyConversation;

  constructor(ctx: RunContext, step: string, models: AgentModels, rules: RulesReader) {
    this.ctx = ctx;
    this.step = step;
    this.models = models;
    this.rules = rules;
  }

  /** Reads what is new in the log (ours and others': sandboxes, messages, limits) and folds it in. */
  async follow(): Promise<Conversation> {
    const fresh = await this.ctx.log.events({ afterSeq: this.#conversation.seq });
    this.#conversation = fresh.reduce<Conversation>(foldEvent, this.#conversation);
    return this.#conversation;
  }

  async append(...events: NewEvent[]): Promise<StoredEvent[]> {
    this.ctx.signal.throwIfAborted();
    return await this.ctx.events.append(...events);
  }

  /** What the model would be asked now, but for the output maximum. */
  request(conversation: Conversation): Pick<ModelRequest, 'system' | 'messages' | 'tools'> {
    return { system: conversation.system ?? '', messages: messagesOf(conversation), tools: this.specs };
  }

  estimate(conversation: Conversation): number {
    return estimateTokens(this.request(conversation));
  }
}
