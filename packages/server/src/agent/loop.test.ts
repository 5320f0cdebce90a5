import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { BerthError } from '../domain/errors/index.ts';
import type { ModelRequest } from '../domain/ports/model.ts';
import { Killed } from '../testing/agent-harness.ts';
import { harnesses } from '../testing/open-harness.ts';
import { ScriptedModel, calls, finishes, inTurn, text } from '../testing/scripted-model.ts';
import type { Scripted } from '../testing/scripted-model.ts';
import { quickestMs } from '../testing/quickest.ts';

const harness = harnesses();
const look = calls(['bash', { command: 'true' }]);

/** The text of everything the model was shown in a request. */
function shown(request: ModelRequest): string {
  return request.messages
    .flatMap((message) => message.parts.map((part) => ('text' in part ? part.text : '')))
    .join('\n');
}

test('an agent reads, edits, runs commands in one shell and finishes', async () => {
  const run = harness({ files: { 'src/date.ts': 'export const zone = "CET";\n' } });
  const model = new ScriptedModel(
    inTurn([
      calls(['read', { path: 'src/date.ts' }], ['list', { path: 'src' }]),
      calls(['edit', { path: 'src/date.ts', old: '"CET"', new: '"UTC"' }]),
      calls(['bash', { command: 'cd src && export WHERE=here && cat date.ts' }]),
      calls(['bash', { command: 'pwd; echo "$WHERE"; exit 3' }]),
      finishes,
    ]),
  );
  const result = await run.live({ model });
  expect(result).toEqual({ result: 'done', code: null, summary: 'All done.' });
  expect(run.file('src/date.ts')).toBe('export const zone = "UTC";\n');
  const ended = run.events('tool.ended').map((event) => event.data);
  expect(ended.map((end) => end.isError)).toEqual([false, false, false, false, false, false]);
  expect(ended[3]!.text).toContain('export const zone = "UTC";');
  expect(ended[4]!.text).toContain('repo/src\nhere\n[exit 3]');
  expect(ended[4]!.exitCode).toBe(3);
  expect(ended[2]!.summary).toBe('edit src/date.ts +1 -1');
  expect(new Set(ended.map((end) => end.id)).size).toBe(ended.length);
});

test('each request begins with the bytes of the one before, over tools, notes and a repair round', async () => {
  const run = harness({ files: { 'a/b.ts': 'x\n' }, limits: { steps: 9 } });
  const script: Scripted[] = [
    calls(['read', { path: 'a/b.ts' }]),
    text('I think so.'),
    calls(['bash', { command: 'echo hello' }], ['todo', { items: [{ text: 'go on', state: 'doing' }] }]),
    calls(['edit', { path: 'a/b.ts', old: 'nothing', new: 'y' }]),
    finishes,
    calls(['write', { path: 'a/b.ts', content: 'y\n' }]),
    finishes,
  ];
  const model = new ScriptedModel(inTurn(script));
  const rules = (directory: string) =>
    Promise.resolve(directory === 'a' ? [{ path: 'a/AGENTS.md', text: 'Use tabs.' }] : []);
  await run.live({ model, rules });
  await run.live({ model, rules, stepKey: '2:agent#1', opening: { kind: 'repair', text: 'exit 1' } });
  expect(model.requests).toHaveLength(script.length);
  const digest = (value: string): string => createHash('sha256').update(value).digest('hex');
  const parts = model.requests.map((request) =>
    request.messages.flatMap((message) => message.parts.map((part) => JSON.stringify([message.role, part]))),
  );
  for (const [place, earlier] of parts.slice(0, -1).entries()) {
    const later = parts[place + 1]!;
    expect(later.length).toBeGreaterThan(earlier.length);
    expect(digest(later.slice(0, earlier.length).join())).toBe(digest(earlier.join()));
  }
  const fixed = model.requests.map((request) => digest(JSON.stringify([request.system, request.tools])));
  expect(new Set(fixed).size).toBe(1);
  const last = shown(model.requests.at(-1)!);
  expect(last).toContain('path="a/AGENTS.md"');
  expect(last).toContain('50 % of the model calls');
  expect(last).toContain('they failed');
});

test('malformed, unknown and wrong calls are answered so that the model can correct itself', async () => {
  const run = harness();
  const model = new ScriptedModel(
    inTurn([
      {
        parts: [
          {
            type: 'tool-call',
            id: 'x',
            name: 'write',
            input: null,
            malformed: '{"path": "a", "content": "cut o',
          },
          { type: 'tool-call', id: 'x', name: 'launch', input: {} },
          { type: 'tool-call', id: 'x', name: 'read', input: { path: 7 } },
        ],
        finish: 'length',
      },
      finishes,
    ]),
  );
  expect(await run.live({ model })).toMatchObject({ result: 'done' });
  const [malformed, unknown, wrong] = run.events('tool.ended').map((event) => event.data);
  expect(malformed).toMatchObject({ isError: true, text: expect.stringContaining('no valid JSON') });
  expect(unknown).toMatchObject({ isError: true, text: expect.stringContaining('There are: read, search') });
  expect(wrong).toMatchObject({ isError: true, text: expect.stringContaining('path:') });
  expect(run.events('tool.started').map((event) => event.data.name)).toEqual(['finish']);
});

test('finish beside a failing call is not accepted', async () => {
  const run = harness();
  const model = new ScriptedModel(
    inTurn([
      calls(['edit', { path: 'none.ts', old: 'a', new: 'b' }], ['finish', { result: 'done', summary: 'ok' }]),
      calls(['finish', { result: 'gave-up', summary: 'There is no such file.' }]),
    ]),
  );
  expect(await run.live({ model })).toEqual({
    result: 'gave-up',
    code: 'AGENT_GAVE_UP',
    summary: 'There is no such file.',
  });
});

test('a message of a person is told before the next call, once', async () => {
  const run = harness();
  const model = new ScriptedModel(inTurn([look, look, finishes]));
  run.onEvent = (event) => {
    if (event.type !== 'tool.started' || run.events('message.received').length > 0) return;
    const data = { messageId: 'm-1', by: 'ada', text: 'Keep the public API.', mode: 'now' as const };
    run.log.push({ type: 'message.received', data, runId: 'r_test', seq: run.log.length + 1, at: event.at });
  };
  await run.live({ model });
  const told = run.events('agent.told').filter((event) => event.data.kind === 'message');
  expect(told.map((event) => event.data.messageId)).toEqual(['m-1']);
  expect(shown(model.requests[1]!)).toContain('Keep the public API.');
});

test('an abort stops a hanging model call and a running command within two seconds, and the step resumes', async () => {
  for (const script of [
    [{ hangs: true }],
    [calls(['bash', { command: 'sleep 60' }])],
  ] satisfies Scripted[][]) {
    const took = await quickestMs(2_000, async () => {
      const run = harness();
      const stop = new AbortController();
      const reason = new BerthError('RUN_CANCELLED');
      let abortedMs = 0;
      run.onEvent = (event) => {
        const last = script[0] !== undefined && 'hangs' in script[0] ? 'model.requested' : 'tool.started';
        if (event.type !== last) return;
        setTimeout(() => {
          abortedMs = performance.now();
          stop.abort(reason);
        }, 100);
      };
      const model = new ScriptedModel(inTurn(script));
      await expect(run.live({ model }, { signal: stop.signal })).rejects.toBe(reason);
      const ms = performance.now() - abortedMs;
      expect(run.events('agent.finished')).toEqual([]);
      expect(['model.requested', 'tool.started']).toContain(run.log.at(-1)!.type);
      return ms;
    });
    expect(took).toBeLessThan(2_000);
  }
});

test('a lost sandbox ends the running call as interrupted, and the model is told before it goes on', async () => {
  const run = harness({ files: { 'a.txt': 'base\n' } });
  const model = new ScriptedModel(
    inTurn([
      calls(['write', { path: 'a.txt', content: 'changed\n' }]),
      calls(['bash', { command: 'sleep 30' }], ['write', { path: 'b.txt', content: 'later\n' }]),
      calls(['bash', { command: 'cat a.txt' }]),
      finishes,
    ]),
  );
  run.onEvent = (event) => {
    if (event.type !== 'tool.started' || event.data.name !== 'bash' || event.data.id !== 't2-1') return;
    run.saveCheckpoint();
    setTimeout(() => void run.loseSandbox(), 200);
  };
  expect(await run.live({ model })).toMatchObject({ result: 'done' });
  const ended = run.events('tool.ended').map((event) => event.data);
  expect(ended[1]).toMatchObject({ id: 't2-1', interrupted: true, isError: true });
  expect(ended[2]).toMatchObject({ id: 't2-2', isError: true, text: expect.stringContaining('Not run') });
  expect(ended[3]!.text).toContain('changed');
  expect(run.events('agent.told').map((event) => event.data.kind)).toEqual(['loss']);
  expect(shown(model.requests[2]!)).toContain('working tree as it was last saved');
});

test('a call whose sandbox was lost while no worker lived is interrupted, never repeated', async () => {
  const run = harness();
  const model = new ScriptedModel(inTurn([calls(['bash', { command: 'echo once >>done.txt' }]), finishes]));
  const kill = { seq: 5, stored: true };
  await expect(run.live({ model }, { kill })).rejects.toThrow(Killed);
  expect(run.log.at(-1)!.type).toBe('tool.started');
  await run.loseSandbox();
  await run.live({ model });
  expect(run.events('tool.ended')[0]!.data).toMatchObject({ interrupted: true });
  expect(run.tree()).toEqual({});
});

test('a refusal ends the step with its code', async () => {
  const run = harness();
  const model = new ScriptedModel(
    inTurn([{ parts: [{ type: 'text', text: 'I will not.' }], finish: 'refusal' }]),
  );
  expect(await run.live({ model })).toEqual({
    result: 'gave-up',
    code: 'AGENT_REFUSED',
    summary: 'I will not.',
  });
});

test('a failing model is recorded, its reservation is given back, and the error goes through', async () => {
  const run = harness();
  const model = new ScriptedModel(() => ({ throws: new BerthError('MODEL_OVERLOADED') }));
  await expect(run.live({ model })).rejects.toMatchObject({ code: 'MODEL_OVERLOADED' });
  expect(run.events('model.failed')[0]!.data.code).toBe('MODEL_OVERLOADED');
  expect(await run.limits.remaining()).toMatchObject({ reservedUsd: 0, used: { costUsd: 0, tokens: 0 } });
});
