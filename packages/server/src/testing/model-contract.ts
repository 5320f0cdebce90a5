import { describe, expect, test } from 'vitest';
import type {
  AssistantPart,
  Message,
  Model,
  ModelFrame,
  ModelRequest,
  ToolSpec,
} from '../domain/ports/model.ts';
import { quickestMs } from './quickest.ts';

/** What a model under contract answers, by the text of the last user message. */
export const contractAnswers = {
  text: { ask: 'Say hello to the world.', say: 'Hello, world: here I am, at your service.' },
  tools: {
    ask: 'Read both files.',
    say: 'I read both.',
    calls: [
      { name: 'read', input: { path: 'src/a.ts' } },
      { name: 'read', input: { path: 'src/b c.ts', lines: [1, 20] } },
    ],
  },
  after: { say: 'Both are empty files.' },
} as const;

export const contractTools: readonly ToolSpec[] = [
  {
    name: 'read',
    description: 'Reads a file.',
    inputSchema: { type: 'object', properties: { path: { type: 'string' } }, required: ['path'] },
  },
];

/** A request with the contract's tools. */
export function contractRequest(messages: readonly Message[], callId = 'call-1'): ModelRequest {
  return {
    callId,
    system: 'You are a careful engineer.',
    messages,
    tools: contractTools,
    maxOutputTokens: 1000,
  };
}

export const userMessage = (text: string): Message => ({ role: 'user', parts: [{ type: 'text', text }] });

/** What every `Model` keeps, whatever stands behind it. `make` gives a model that knows `contractAnswers`. */
export function modelContract(name: string, make: () => Promise<Model>): void {
  describe(`a model (${name})`, () => {
    const open = new AbortController().signal;

    test('answers with text, and the live frames add up to it', async () => {
      const model = await make();
      const frames: ModelFrame[] = [];
      const answer = await model.call(contractRequest([userMessage(contractAnswers.text.ask)]), {
        signal: open,
        onFrame: (frame) => frames.push(frame),
      });
      expect(textOf(answer.parts)).toBe(contractAnswers.text.say);
      expect(answer.finish).toBe('stop');
      expect(frames.length).toBeGreaterThan(1);
      expect(joined(frames, 'text')).toBe(contractAnswers.text.say);
    });

    test('reports usage whose totals hold their parts', async () => {
      const { usage } = await (
        await make()
      ).call(contractRequest([userMessage(contractAnswers.text.ask)]), { signal: open });
      expect(usage.inputTokens).toBeGreaterThan(0);
      expect(usage.outputTokens).toBeGreaterThan(0);
      expect(usage.cachedInputTokens + usage.cacheWriteTokens).toBeLessThanOrEqual(usage.inputTokens);
      expect(usage.reasoningTokens).toBeLessThanOrEqual(usage.outputTokens);
    });

    test('makes parallel tool calls with ids of their own, and goes on after their results', async () => {
      const model = await make();
      const frames: ModelFrame[] = [];
      const asked = userMessage(contractAnswers.tools.ask);
      const first = await model.call(contractRequest([asked]), {
        signal: open,
        onFrame: (frame) => frames.push(frame),
      });
      const calls = first.parts.filter((part) => part.type === 'tool-call');
      expect(first.finish).toBe('tool-calls');
      expect(calls.map(({ name, input, malformed }) => ({ name, input, malformed }))).toEqual(
        contractAnswers.tools.calls.map((call) => ({ ...call, malformed: undefined })),
      );
      expect(new Set(calls.map((call) => call.id)).size).toBe(calls.length);
      expect(
        frames.filter((frame) => frame.kind === 'tool-input').every((frame) => frame.toolName === 'read'),
      ).toBe(true);
      expect(joined(frames, 'tool-input')).toBe(
        contractAnswers.tools.calls.map((call) => JSON.stringify(call.input)).join(''),
      );

      const results: Message = {
        role: 'tool',
        parts: calls.map(({ id, name: tool }) => ({
          type: 'tool-result',
          id,
          name: tool,
          text: '',
          isError: false,
        })),
      };
      const second = await model.call(
        contractRequest([asked, { role: 'assistant', parts: first.parts }, results], 'call-2'),
        {
          signal: open,
        },
      );
      expect(textOf(second.parts)).toBe(contractAnswers.after.say);
    });

    test('rejects with the reason of a signal that was aborted before', async () => {
      const reason = new Error('cancelled before');
      const call = (await make()).call(contractRequest([userMessage(contractAnswers.text.ask)]), {
        signal: AbortSignal.abort(reason),
      });
      await expect(call).rejects.toBe(reason);
    });

    test('ends within 200 ms when aborted in the middle, and sends no frame after that', async () => {
      const took = await quickestMs(200, async () => {
        const reason = new Error('cancelled in the middle');
        const abort = new AbortController();
        let abortedAtMs = 0;
        let framesAfter = 0;
        const call = (await make()).call(contractRequest([userMessage(contractAnswers.text.ask)]), {
          signal: abort.signal,
          onFrame: () => {
            if (abort.signal.aborted) framesAfter++;
            else {
              abortedAtMs = performance.now();
              abort.abort(reason);
            }
          },
        });
        await expect(call).rejects.toBe(reason);
        const ms = performance.now() - abortedAtMs;
        expect(framesAfter).toBe(0);
        return ms;
      });
      expect(took).toBeLessThan(200);
    });
  });
}

function textOf(parts: readonly AssistantPart[]): string {
  return parts.map((part) => (part.type === 'text' ? part.text : '')).join('');
}

function joined(frames: readonly ModelFrame[], kind: ModelFrame['kind']): string {
  return frames
    .filter((frame) => frame.kind === kind)
    .map((frame) => frame.text)
    .join('');
}
