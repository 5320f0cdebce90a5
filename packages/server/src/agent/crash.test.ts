import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { Message } from '../domain/ports/model.ts';
import { AgentHarness, Killed } from '../testing/agent-harness.ts';
import type { KillAt } from '../testing/agent-harness.ts';
import { ScriptedModel, calls, finishes, inTurn } from '../testing/scripted-model.ts';
import { foldConversation } from './fold.ts';
import { messagesOf } from './messages.ts';

/** Counts itself outside the repository, so that a repeated command shows. */
const counted = (command: string): string => `echo run >>"$HOME/count.txt"; ${command}`;

const script = [
  calls(['read', { path: 'a.ts' }], ['search', { pattern: 'one', path: '.' }]),
  calls(
    ['todo', { items: [{ text: 'change it', state: 'doing' }] }],
    ['edit', { path: 'a.ts', old: 'one', new: 'two' }],
    ['bash', { command: counted('cd sub && export NAME=berth && sleep 0.05 && cat ../a.ts') }],
  ),
  calls(['write', { path: 'sub/new.ts', content: 'export {};\n' }], ['bash', { command: 'exit 1' }]),
  calls(['bash', { command: counted('echo "$NAME" >>here.txt; echo more >>../a.ts') }]),
  finishes,
];

interface Outcome {
  readonly tree: Record<string, string>;
  readonly messages: readonly Message[];
  readonly executed: number;
  readonly events: number;
  readonly requests: number;
  readonly repeated: number;
}

async function runWith(kill: KillAt | null): Promise<Outcome> {
  const run = new AgentHarness({ files: { 'a.ts': 'const one = 1;\n', 'sub/b.ts': 'b\n' } });
  try {
    const model = new ScriptedModel(inTurn(script));
    if (kill !== null) await expect(run.live({ model }, { kill })).rejects.toThrow(Killed);
    const result = await run.live({ model });
    expect(result.result).toBe('done');
    expect(await run.limits.remaining()).toMatchObject({ reservedUsd: 0 });
    return {
      tree: run.tree(),
      messages: messagesOf(foldConversation(run.log)),
      executed: readFileSync(join(run.workspace, '../home/count.txt'), 'utf8').split('\n').length - 1,
      events: run.log.length,
      requests: model.requests.length,
      repeated: run.events('model.requested').filter((event) => event.data.repeated).length,
    };
  } finally {
    await run.close();
  }
}

/** A change whose record was lost is answered by a sentence instead of its diff; nothing else may differ. */
function withoutSettled(messages: readonly Message[], other: readonly Message[]): readonly Message[] {
  return messages.map((message, place) =>
    message.role !== 'tool'
      ? message
      : {
          ...message,
          parts: message.parts.map((part, n) => {
            const same = other[place]?.parts[n];
            return part.text.includes('was changed as asked') && same?.type === 'tool-result' ? same : part;
          }),
        },
  );
}

test('killed at any event, the step ends the same and runs no command twice', async () => {
  const undisturbed = await runWith(null);
  expect(undisturbed.executed).toBe(2);
  expect(undisturbed.requests).toBe(script.length);
  // Of two neighbours, the one with its record and the one without it: every event is met by one of both.
  const kills = Array.from({ length: undisturbed.events }, (_, place) => ({
    seq: place + 1,
    stored: place % 2 === 0,
  }));
  const wrong: unknown[] = [];
  const lanes = [0, 1, 2].map(async (lane) => {
    for (let at = lane; at < kills.length; at += 3) {
      const kill = kills[at]!;
      try {
        const outcome = await runWith(kill);
        expect(outcome.tree).toEqual(undisturbed.tree);
        expect(outcome.executed).toBe(undisturbed.executed);
        expect(withoutSettled(outcome.messages, undisturbed.messages)).toEqual(undisturbed.messages);
        expect(outcome.requests).toBeLessThanOrEqual(undisturbed.requests + 1);
        expect(outcome.repeated).toBeLessThanOrEqual(1);
      } catch (error) {
        wrong.push({ kill, error });
      }
    }
  });
  await Promise.all(lanes);
  expect(wrong).toEqual([]);
});

test('a repeated model call is marked, its first reservation stays spent, and a second loss ends the step', async () => {
  const run = new AgentHarness({ files: { 'a.ts': 'x\n' } });
  try {
    const model = new ScriptedModel(inTurn([finishes]));
    const requested = async (): Promise<void> => {
      const seq = run.log.length + 2;
      await expect(run.live({ model }, { kill: { seq, stored: true } })).rejects.toThrow(Killed);
    };
    await requested();
    expect(run.log.at(-1)!.type).toBe('model.requested');
    await requested();
    expect(run.log.at(-1)).toMatchObject({ type: 'model.requested', data: { repeated: true } });
    const result = await run.live({ model });
    expect(result).toMatchObject({ result: 'gave-up', code: 'AGENT_ANSWER_LOST' });
    const spent = [...run.limits.calls.values()];
    expect(spent.map((call) => call.settled)).toEqual([true, true]);
    expect(spent.every((call) => call.costUsd > 0)).toBe(true);
    expect(model.requests).toHaveLength(0);
  } finally {
    await run.close();
  }
});

test('the output of a command that ran while no worker lived is whole', async () => {
  const run = new AgentHarness();
  try {
    const command = `${counted('seq 1 300000')}; sleep 0.4; echo end`;
    const model = new ScriptedModel(inTurn([calls(['bash', { command }]), finishes]));
    const stop = new AbortController();
    run.onEvent = (event) => {
      if (event.type === 'tool.started') setTimeout(() => stop.abort(new Killed()), 300);
    };
    await expect(run.live({ model }, { signal: stop.signal })).rejects.toThrow(Killed);
    run.onEvent = () => undefined;
    await run.live({ model });
    const ended = run.events('tool.ended')[0]!.data;
    expect(ended.text).toMatch(/^1\n2\n[^]*\n300000\nend\n\[exit 0\]$/);
    const whole = new TextDecoder().decode(await run.blobs.get(ended.full!));
    expect(whole).toBe(`${Array.from({ length: 300_000 }, (_, n) => n + 1).join('\n')}\nend\n`);
    expect(readFileSync(join(run.workspace, '../home/count.txt'), 'utf8')).toBe('run\n');
  } finally {
    await run.close();
  }
});
