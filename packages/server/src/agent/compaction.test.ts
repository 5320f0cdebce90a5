import { expect, test } from 'vitest';
import { BerthError } from '../domain/errors/index.ts';
import type { Message } from '../domain/ports/model.ts';
import { harnesses } from '../testing/open-harness.ts';
import { ScriptedModel, calls, text } from '../testing/scripted-model.ts';
import type { Scripted } from '../testing/scripted-model.ts';
import { estimateTokens } from '../models/index.ts';

const harness = harnesses();

/** Every result stands right after the answer with its call, and no call is without one. */
function expectPaired(messages: readonly Message[]): void {
  for (const [place, message] of messages.entries()) {
    if (message.role === 'assistant') {
      const wanted = message.parts.filter((part) => part.type === 'tool-call').map((part) => part.id);
      const next = messages[place + 1];
      const got = next?.role === 'tool' ? next.parts.map((part) => part.id) : [];
      expect(got).toEqual(wanted);
    } else if (message.role === 'tool') expect(messages[place - 1]?.role).toBe('assistant');
  }
  for (const [place, message] of messages.entries()) {
    if (place > 0) expect(message.role).not.toBe(messages[place - 1]!.role);
  }
}

/** Works through many long outputs; only the log knows how far it is, as after a condensation it must. */
function worker(turns: number): ScriptedModel {
  let done = 0;
  const answers: Scripted[] = [
    calls(['todo', { items: [{ text: 'mend the parser', state: 'doing' }] }]),
    calls(['write', { path: 'src/parser.ts', content: 'export {};\n' }]),
    calls(['bash', { command: 'echo "expected 3, got 4"; exit 1' }]),
  ];
  return new ScriptedModel(
    () => {
      done++;
      if (done <= answers.length) return answers[done - 1]!;
      if (done > turns) return calls(['finish', { result: 'done', summary: 'ok' }]);
      return calls(['bash', { command: `head -c 6000 /dev/zero | tr '\\0' 'x'; echo ${done}` }]);
    },
    { contextTokens: 40_000 },
  );
}

test('before the window is full the older part is condensed, keeping task, plan, failure and changed files', async () => {
  const run = harness({ files: { 'src/AGENTS.md': '' } });
  const model = worker(40);
  const condenser = new ScriptedModel(() => text('The parser was read and changed.'), {
    id: 'scripted/condense',
  });
  const rules = (directory: string) =>
    Promise.resolve(directory === 'src' ? [{ path: 'src/AGENTS.md', text: 'No semicolons.' }] : []);
  expect(await run.live({ model, condense: condenser, rules })).toMatchObject({ result: 'done' });
  const condensed = run.events('agent.condensed');
  expect(condensed.length).toBeGreaterThan(1);
  for (const { data } of condensed) expect(data.afterTokens).toBeLessThan(data.beforeTokens);
  for (const request of model.requests) {
    expect(estimateTokens(request) + request.maxOutputTokens).toBeLessThanOrEqual(40_000);
    expectPaired(request.messages);
  }
  const last = JSON.stringify(model.requests.at(-1)!.messages);
  for (const kept of [
    'Fix the bug.',
    'mend the parser',
    'src/parser.ts',
    'expected 3, got 4',
    'No semicolons.',
  ]) {
    expect(last).toContain(kept);
  }
  expect(last).toContain('The parser was read and changed.');
  expect(run.events('model.requested').some((event) => event.data.slot === 'condense')).toBe(true);
});

test('without an answer of the condensing model the cut is made with a plain account', async () => {
  const run = harness();
  const broken = new ScriptedModel(() => ({ throws: new BerthError('MODEL_OVERLOADED') }));
  const model = worker(20);
  expect(await run.live({ model, condense: broken })).toMatchObject({ result: 'done' });
  expect(run.events('agent.condensed')[0]!.data.summary).toContain('- write src/parser.ts');
  for (const request of model.requests) expectPaired(request.messages);
});

test('a window that the provider finds full, whatever was estimated, is condensed and tried again', async () => {
  const run = harness();
  let refusals = 0;
  let done = 0;
  const model = new ScriptedModel(
    () => {
      if (done === 8 && refusals === 0) {
        refusals++;
        return { throws: new BerthError('MODEL_CONTEXT_OVERFLOW') };
      }
      done++;
      if (done > 9) return calls(['finish', { result: 'done', summary: 'ok' }]);
      return calls(['bash', { command: `head -c 6000 /dev/zero | tr '\\0' 'x'; echo ${done}` }]);
    },
    { contextTokens: 200_000 },
  );
  const condense = new ScriptedModel(() => text('Short.'));
  expect(await run.live({ model, condense })).toMatchObject({ result: 'done' });
  expect(run.events('model.failed').map((event) => event.data.code)).toEqual(['MODEL_CONTEXT_OVERFLOW']);
  const [failed, condensed] = [run.events('model.failed')[0]!, run.events('agent.condensed')[0]!];
  expect(condensed.seq).toBeGreaterThan(failed.seq);
});

test('a conversation that cannot be made shorter ends with its code', async () => {
  const run = harness();
  const model = new ScriptedModel(() => ({ throws: new BerthError('MODEL_CONTEXT_OVERFLOW') }));
  await expect(run.live({ model })).rejects.toMatchObject({ code: 'AGENT_CONTEXT_FULL' });
});
