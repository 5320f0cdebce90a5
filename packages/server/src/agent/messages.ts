import type { AssistantPart, Message, TextPart } from '../domain/ports/model.ts';
import type { Answer, Conversation } from './conversation.ts';

/**
 * What the model sees. A function of the turns alone, turn by turn, so that a longer conversation begins with
 * the same bytes as a shorter one (provider caches) until a condensation.
 */
export function messagesOf(conversation: Pick<Conversation, 'turns'>): readonly Message[] {
  const messages: Message[] = [];
  for (const turn of conversation.turns) {
    if (turn.kind === 'note') addText(messages, turn.text);
    else messages.push(...answerMessages(turn));
  }
  return messages;
}

/** Notes that follow each other become one message of several parts: roles have to alternate. */
function addText(messages: Message[], text: string): void {
  const last = messages.at(-1);
  const part: TextPart = { type: 'text', text };
  if (last?.role === 'user') messages[messages.length - 1] = { role: 'user', parts: [...last.parts, part] };
  else messages.push({ role: 'user', parts: [part] });
}

function answerMessages(answer: Answer): Message[] {
  const parts = answer.parts.filter((part) => part.type !== 'text' || part.text.trim() !== '');
  // Providers refuse a message without text or call; an empty answer is not shown back.
  if (!parts.some((part) => part.type !== 'reasoning')) return [];
  const said: Message = { role: 'assistant', parts };
  if (answer.calls.length === 0) return [said];
  return [
    said,
    {
      role: 'tool',
      parts: answer.calls.map((call) => ({
        type: 'tool-result',
        id: call.id,
        name: call.name,
        text: call.end?.text ?? 'Not run.',
        isError: call.end?.isError ?? true,
      })),
    },
  ];
}

/** The text of an answer, without its reasoning and calls. */
export function textOf(parts: readonly AssistantPart[]): string {
  return parts
    .filter((part) => part.type === 'text')
    .map((part) => part.text)
    .join('\n')
    .trim();
}
