import { z } from 'zod';
import { event } from './definition.ts';

const usage = z.object({
  inputTokens: z.number(),
  cachedInputTokens: z.number(),
  cacheWriteTokens: z.number(),
  outputTokens: z.number(),
  reasoningTokens: z.number(),
});

const assistantPart = z.discriminatedUnion('type', [
  z.object({ type: z.literal('text'), text: z.string() }),
  z.object({
    type: z.literal('reasoning'),
    text: z.string(),
    providerData: z.record(z.string(), z.unknown()).optional(),
  }),
  z.object({
    type: z.literal('tool-call'),
    id: z.string(),
    name: z.string(),
    input: z.unknown(),
    malformed: z.string().optional(),
    providerData: z.record(z.string(), z.unknown()).optional(),
  }),
]);

const brief = (value: string, most = 100): string => {
  const line = value.replaceAll(/\s+/g, ' ').trim();
  return line.length <= most ? line : `${line.slice(0, most - 1)}…`;
};

const toldKinds = ['limit', 'nudge', 'loss', 'message', 'rules', 'repair'] as const;

/** What a note says to people: that it was given, and its words only where they are not shown already. */
function toldTitle(kind: (typeof toldKinds)[number], value: string): string {
  switch (kind) {
    case 'repair':
      return 'told the agent what failed';
    case 'message':
      return 'the agent has the message';
    case 'loss':
      return 'told the agent that its sandbox was replaced';
    case 'rules':
      return 'told the agent the rules of a directory';
    case 'limit':
    case 'nudge':
      return `told the agent: ${brief(value)}`;
  }
}

/** The conversation of an agent step; its fold is `agent/conversation`. */
export const agentEvents = {
  /** What the agent is told at the start of a step or repair round, in Berth's words. */
  'agent.briefed': event(
    'normal',
    z.object({ step: z.string(), system: z.string(), text: z.string() }),
    () => 'agent briefed',
  ),
  /** A note to the agent in the middle: limits, nudges, a lost sandbox, a person's message. */
  'agent.told': event(
    'normal',
    z.object({
      step: z.string(),
      kind: z.enum(toldKinds),
      text: z.string(),
      messageId: z.string().optional(),
      /** Set on the last note of a step: the limit whose end is near. One more model call follows, no second. */
      lastTurn: z.string().optional(),
    }),
    (data) => toldTitle(data.kind, data.text),
  ),
  'model.requested': event(
    'low',
    z.object({
      callId: z.string(),
      step: z.string(),
      slot: z.string(),
      model: z.string(),
      reservedUsd: z.number(),
      reservedTokens: z.number(),
      /** The answer of an earlier request with the same position was never stored: this one may bill twice. */
      repeated: z.boolean(),
    }),
    (data) => `model ${data.model}${data.repeated ? ' (repeated after an interruption)' : ''}`,
  ),
  'model.answered': event(
    'normal',
    z.object({
      callId: z.string(),
      step: z.string(),
      model: z.string(),
      parts: z.array(assistantPart),
      finish: z.enum(['stop', 'tool-calls', 'length', 'refusal']),
      usage,
      costUsd: z.number(),
      durationMs: z.number(),
    }),
    (data) => {
      const said = data.parts.find((part) => part.type === 'text');
      const calls = data.parts.filter((part) => part.type === 'tool-call').map((part) => part.name);
      return said === undefined ? `calls ${calls.join(', ')}` : brief(said.text);
    },
  ),
  'model.failed': event(
    'high',
    z.object({
      callId: z.string(),
      step: z.string(),
      model: z.string(),
      code: z.string(),
      sentence: z.string(),
    }),
    (data) => `model failed: ${brief(data.sentence)}`,
  ),
  'model.retried': event(
    'low',
    z.object({
      callId: z.string(),
      code: z.string(),
      waitMs: z.number(),
      attempt: z.number(),
      model: z.string(),
    }),
    (data) =>
      `model ${data.model}: ${data.code}, retry ${data.attempt} in ${Math.round(data.waitMs / 1000)} s`,
  ),
  /** Recorded before the tool acts. */
  'tool.started': event(
    'low',
    z.object({
      id: z.string(),
      step: z.string(),
      name: z.string(),
      input: z.unknown(),
      sandboxId: z.string(),
    }),
    (data) => `${data.name} ${brief(JSON.stringify(data.input) ?? '')}`,
  ),
  /** What a file-changing tool is about to do, so that recovery can tell done from not done. */
  'tool.planned': event(
    'low',
    z.object({
      id: z.string(),
      path: z.string(),
      beforeSha256: z.string().nullable(),
      afterSha256: z.string(),
    }),
    (data) => `changes ${data.path}`,
  ),
  'tool.ended': event(
    'normal',
    z.object({
      id: z.string(),
      step: z.string(),
      name: z.string(),
      /** What the model sees. */
      text: z.string(),
      isError: z.boolean(),
      interrupted: z.boolean(),
      /** One line for people: `edit src/date.ts +5 -0`. */
      summary: z.string(),
      /** Blob of the full output when `text` is an extract. */
      full: z.string().nullable(),
      exitCode: z.number().nullable(),
      durationMs: z.number(),
    }),
    (data) => data.summary,
  ),
  /** The conversation up to `throughSeq` is replaced by `summary` in what the model sees. */
  'agent.condensed': event(
    'normal',
    z.object({
      step: z.string(),
      throughSeq: z.number(),
      summary: z.string(),
      beforeTokens: z.number(),
      afterTokens: z.number(),
    }),
    (data) => `conversation condensed (${data.beforeTokens} → ${data.afterTokens} tokens)`,
  ),
  'agent.finished': event(
    'high',
    z.object({
      step: z.string(),
      result: z.enum(['done', 'gave-up', 'stuck', 'limit']),
      code: z.string().nullable(),
      summary: z.string(),
    }),
    (data) => `agent ${data.result}: ${brief(data.summary)}`,
  ),
};
