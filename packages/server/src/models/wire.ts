import { createHash } from 'node:crypto';
import type { AssistantPart, Message, ModelRequest, ToolCallPart } from '../domain/ports/model.ts';
import type { SdkCall, SdkMessage, SdkPrompt, SdkProviderOptions, SdkTool } from './sdk.ts';

/** The language a provider's server speaks. */
export type Wire = 'anthropic' | 'openai' | 'openai-compatible';

/**
 * Anthropic caches a prefix up to a marked block and allows four marks: one after the tools, one after the
 * system text, and two on the last messages that carry input, so that the next call finds this one's prefix
 * even when it adds more blocks than Anthropic looks back over (20). Marks are not part of what is cached.
 */
const cacheMark: SdkProviderOptions = { anthropic: { cacheControl: { type: 'ephemeral' } } };

/**
 * A request in the AI SDK's form. Pure: the same conversation gives the same bytes, whatever the call's id, and
 * a conversation that goes on gives a longer message list with the same beginning.
 */
export function toSdkCall(request: ModelRequest, wire: Wire, returnReasoning = true): SdkCall {
  const marks = wire === 'anthropic';
  const tools: SdkTool[] = request.tools.map((tool, place) => ({
    type: 'function',
    name: tool.name,
    description: tool.description,
    inputSchema: tool.inputSchema,
    ...(marks && place === request.tools.length - 1 ? { providerOptions: cacheMark } : {}),
  }));
  const providerOptions = callOptions(request, wire);
  return {
    prompt: toPrompt(request, marks, reasoningFor(wire, returnReasoning)),
    maxOutputTokens: request.maxOutputTokens,
    ...(tools.length === 0 ? {} : { tools, toolChoice: { type: 'auto' } }),
    ...(providerOptions === undefined ? {} : { providerOptions }),
  };
}

/** Which reasoning goes back: Anthropic and OpenAI take what they signed, compatible servers what nobody did. */
type SentReasoning = 'signed' | 'plain' | 'none';

function reasoningFor(wire: Wire, returnReasoning: boolean): SentReasoning {
  if (wire !== 'openai-compatible') return 'signed';
  return returnReasoning ? 'plain' : 'none';
}

function callOptions(request: ModelRequest, wire: Wire): SdkProviderOptions | undefined {
  if (wire !== 'openai') return undefined;
  // Nothing is kept at the provider (`store: false`), so reasoning travels encrypted inside the conversation.
  // The cache key sends calls with the same prefix to the same machine.
  const prefix = createHash('sha256').update(request.system).update(JSON.stringify(request.tools));
  return { openai: { store: false, promptCacheKey: prefix.digest('hex').slice(0, 32) } };
}

function toPrompt(request: ModelRequest, marks: boolean, sent: SentReasoning): SdkPrompt {
  const messages = request.messages.flatMap((message) => toMessage(message, sent));
  if (marks) markLastInputs(messages);
  if (request.system === '') return messages;
  const system: SdkMessage = { role: 'system', content: request.system };
  return [marks ? { ...system, providerOptions: cacheMark } : system, ...messages];
}

function markLastInputs(messages: SdkMessage[]): void {
  let left = 2;
  for (let place = messages.length - 1; place >= 0 && left > 0; place--) {
    const message = messages[place]!;
    if (message.role !== 'user' && message.role !== 'tool') continue;
    messages[place] = { ...message, providerOptions: cacheMark };
    left--;
  }
}

/** Providers refuse empty text blocks and empty messages, so both are left out. */
function toMessage(message: Message, sent: SentReasoning): SdkMessage[] {
  switch (message.role) {
    case 'user': {
      const content = message.parts
        .filter((part) => part.text.trim() !== '')
        .map(({ text }) => ({ type: 'text' as const, text }));
      return content.length === 0 ? [] : [{ role: 'user', content }];
    }
    case 'assistant': {
      const content = message.parts.flatMap((part) => toAssistantPart(part, sent));
      return content.length === 0 ? [] : [{ role: 'assistant', content }];
    }
    case 'tool': {
      const content = message.parts.map((part) => ({
        type: 'tool-result' as const,
        toolCallId: wireId(part.id),
        toolName: wireName(part.name),
        output: {
          type: part.isError ? ('error-text' as const) : ('text' as const),
          value: part.text === '' ? '(no output)' : part.text,
        },
      }));
      return content.length === 0 ? [] : [{ role: 'tool', content }];
    }
  }
}

type SdkAssistantPart = Extract<SdkMessage, { role: 'assistant' }>['content'][number];

function toAssistantPart(part: AssistantPart, sent: SentReasoning): SdkAssistantPart[] {
  switch (part.type) {
    case 'text':
      return part.text.trim() === '' ? [] : [{ type: 'text', text: part.text }];
    case 'reasoning': {
      const isSigned = part.providerData !== undefined;
      if (sent === 'none' || isSigned !== (sent === 'signed')) return [];
      return [
        { type: 'reasoning', text: part.text, ...(isSigned ? providerOptionsOf(part.providerData) : {}) },
      ];
    }
    case 'tool-call':
      return [
        {
          type: 'tool-call',
          toolCallId: wireId(part.id),
          toolName: wireName(part.name),
          input: wireInput(part),
          ...(part.providerData === undefined ? {} : providerOptionsOf(part.providerData)),
        },
      ];
  }
}

function providerOptionsOf(data: Readonly<Record<string, unknown>>): { providerOptions: SdkProviderOptions } {
  // It came from `providerMetadata` of the same SDK, as JSON, and goes back unchanged.
  return { providerOptions: data as SdkProviderOptions };
}

/** Providers take objects only; a malformed call goes back as what was written, so that the model can see it. */
function wireInput(part: ToolCallPart): unknown {
  if (part.malformed !== undefined) return { malformed_arguments: part.malformed };
  const isObject = typeof part.input === 'object' && part.input !== null && !Array.isArray(part.input);
  return isObject ? part.input : { value: part.input ?? null };
}

/** Anthropic and OpenAI refuse conversations with other names, and models do invent names. */
function wireName(name: string): string {
  const clean = name.replaceAll(/[^\w-]/g, '_').slice(0, 64);
  return clean === '' ? 'unnamed' : clean;
}

/** Ids of one provider are shown to another after a fallback: OpenAI allows 64 characters, Anthropic only these. */
function wireId(id: string): string {
  if (/^[\w-]{1,64}$/.test(id)) return id;
  return `call_${createHash('sha256').update(id).digest('hex').slice(0, 40)}`;
}
