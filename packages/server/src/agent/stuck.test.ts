import { expect, test } from 'vitest';
import { harnesses } from '../testing/open-harness.ts';
import { ScriptedModel, calls, inTurn, text } from '../testing/scripted-model.ts';
import type { Scripted } from '../testing/scripted-model.ts';

const harness = harnesses();
const nothing: Scripted = { parts: [] };

async function ends(say: ConstructorParameters<typeof ScriptedModel>[0]): Promise<{
  code: string | null;
  answers: number;
  nudges: number;
}> {
  const run = harness({ files: { 'a.txt': 'a\n' } });
  const result = await run.live({ model: new ScriptedModel(say) });
  const nudges = run.events('agent.told').filter((event) => event.data.kind === 'nudge').length;
  return { code: result.code, answers: run.events('model.answered').length, nudges };
}

test('the same call with the same result is nudged after three and ended after three more', async () => {
  expect(await ends(() => calls(['bash', { command: 'cat a.txt' }]))).toEqual({
    code: 'AGENT_STUCK',
    answers: 6,
    nudges: 1,
  });
});

test('alternating pairs are nudged after three rounds and ended after three more', async () => {
  let turn = 0;
  const pair = [calls(['read', { path: 'a.txt' }]), calls(['list', { path: '.' }])];
  expect(await ends(() => pair[turn++ % 2]!)).toEqual({ code: 'AGENT_STUCK', answers: 12, nudges: 1 });
});

test('five failing calls of one tool are nudged, five more end the step', async () => {
  let turn = 0;
  const edit = (): Scripted => calls(['edit', { path: 'a.txt', old: `x${turn++}`, new: 'y' }]);
  expect(await ends(edit)).toEqual({ code: 'AGENT_STUCK', answers: 10, nudges: 1 });
});

test('empty answers are nudged twice and then end the step', async () => {
  expect(await ends(() => nothing)).toEqual({ code: 'AGENT_SILENT', answers: 3, nudges: 2 });
});

test('talk without action is nudged twice and then ends the step', async () => {
  expect(await ends(() => text('I would now look at the code.'))).toEqual({
    code: 'AGENT_IDLE',
    answers: 3,
    nudges: 2,
  });
});

test('the same command with another result is work, not being stuck', async () => {
  const run = harness();
  const poll = calls(['bash', { command: 'echo x >>n; wc -l <n' }]);
  const model = new ScriptedModel((request) => {
    const answers = request.messages.filter((message) => message.role === 'assistant').length;
    return answers < 8 ? poll : calls(['finish', { result: 'done', summary: 'ok' }]);
  });
  expect(await run.live({ model })).toMatchObject({ result: 'done' });
  expect(run.events('agent.told')).toEqual([]);
});

test('an agent that heeds the nudge goes on', async () => {
  const same = calls(['bash', { command: 'cat a.txt' }]);
  const run = harness({ files: { 'a.txt': 'a\n' } });
  const script = [
    same,
    same,
    same,
    calls(['bash', { command: 'ls' }]),
    calls(['finish', { result: 'done', summary: 'ok' }]),
  ];
  expect(await run.live({ model: new ScriptedModel(inTurn(script)) })).toMatchObject({ result: 'done' });
});
