import {
  appendFileSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { AssistantPart, Message, Model, ModelAnswer, ModelRequest } from '../../domain/ports/model.ts';
import { ManualClock } from '../../testing/manual-clock.ts';
import { contractRequest, userMessage } from '../../testing/model-contract.ts';
import { costUsd } from '../prices.ts';
import { cassetteText, parseCassette } from './format.ts';
import type { Cassette } from './format.ts';
import { cassetteModel, readCassette } from './play.ts';
import { recordingModel } from './record.ts';
import { script } from './script.ts';

const signal = new AbortController().signal;
const clock = new ManualClock();
let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'cassette-'));
});
afterEach(() => {
  rmSync(directory, { recursive: true });
});

const play = (cassette: Cassette, mode: 'strict' | 'lenient' = 'strict'): Model =>
  cassetteModel(cassette, { clock, mode });
const ask = (model: Model, request: ModelRequest): Promise<ModelAnswer> => model.call(request, { signal });
const textOf = (answer: ModelAnswer): string =>
  answer.parts.map((part) => (part.type === 'text' ? part.text : '')).join('');
const asMessage = (answer: ModelAnswer): Message => ({ role: 'assistant', parts: answer.parts });
const resultsOf = (answer: ModelAnswer, text: string): Message => ({
  role: 'tool',
  parts: answer.parts.flatMap((part) =>
    part.type === 'tool-call'
      ? [{ type: 'tool-result' as const, id: part.id, name: part.name, text, isError: false }]
      : [],
  ),
});

/** A small agent: asks, "runs" every tool call with `world`, and goes on until there is none; starts from `from`. */
async function converse(
  model: Model,
  world: (turn: number) => string,
  from: readonly Message[] = [userMessage('Fix it.')],
  turns = 9,
): Promise<Message[]> {
  const messages = [...from];
  for (let turn = 0; turn < turns; turn++) {
    const answer = await ask(model, contractRequest(messages, `call-${turn}-${Math.random()}`));
    messages.push(asMessage(answer));
    if (answer.finish !== 'tool-calls') return messages;
    messages.push(resultsOf(answer, world(messages.length)));
  }
  return messages;
}

const scripted = script([
  {
    expect: { lastUserIncludes: 'Fix' },
    think: 'hm',
    say: 'I look.',
    toolCalls: [
      { name: 'read', input: { path: 'a' } },
      { name: 'read', input: { path: 'b' } },
    ],
  },
  { expect: { lastResultsInclude: /empty.*file/ }, toolCalls: [{ name: 'edit', malformed: '{"path' }] },
  { say: 'Done.' },
  { purpose: 'judge', say: 'It does what was asked.' },
]);

describe('a scripted cassette', () => {
  test('plays a conversation, its judge beside it, and is marked simulated with a cost', async () => {
    const model = play(scripted);
    expect(model.simulated).toBe(true);
    const messages = await converse(model, () => 'an empty\nfile');
    expect(messages.at(-1)).toEqual({ role: 'assistant', parts: [{ type: 'text', text: 'Done.' }] });
    expect(messages[3]).toMatchObject({ role: 'assistant', parts: [{ malformed: '{"path', input: null }] });
    const verdict = await ask(model, { ...contractRequest([userMessage('Judge this.')]), purpose: 'judge' });
    expect(textOf(verdict)).toBe('It does what was asked.');
    expect(costUsd(verdict.usage, model.price)).toBeGreaterThan(0);
  });

  test('goes on at the right place in a new process, from any message on', async () => {
    const whole = await converse(play(scripted), () => 'an empty file');
    for (let kept = 1; kept < whole.length; kept += 2) {
      const resumed = await converse(play(scripted), () => 'an empty file', whole.slice(0, kept));
      expect(withoutIds(resumed)).toEqual(withoutIds(whole));
    }
  });

  test('gives a repeated call the same answer with the same ids, and another call other ids', async () => {
    const request = contractRequest([userMessage('Fix it.')], 'call-a');
    expect(await ask(play(scripted), request)).toEqual(await ask(play(scripted), request));
    const ids = (answer: ModelAnswer): string[] =>
      answer.parts.flatMap((part) => (part.type === 'tool-call' ? [part.id] : []));
    expect(ids(await ask(play(scripted), { ...request, callId: 'call-b' }))).not.toEqual(
      ids(await ask(play(scripted), request)),
    );
  });

  test('says which call departed, what was expected and what came', async () => {
    const failure = converse(play(scripted), () => 'permission denied');
    await expect(failure).rejects.toMatchObject({
      code: 'CASSETTE_DEPARTED',
      message: expect.stringMatching(/^Call 2 of `agent` departs.*empty.*permission denied/s) as string,
      details: { purpose: 'agent', turn: 1, diff: expect.stringContaining('+ permission denied') as string },
    });
  });

  test('does not mind a departure when lenient', async () => {
    expect((await converse(play(scripted, 'lenient'), () => 'permission denied')).at(-1)).toMatchObject({
      parts: [{ text: 'Done.' }],
    });
  });

  test.each(['strict', 'lenient'] as const)(
    'ends with a code when there is no further answer (%s)',
    async (mode) => {
      const messages = await converse(play(scripted), () => 'an empty file');
      const more = contractRequest([...messages, userMessage('And now?')]);
      await expect(ask(play(scripted, mode), more)).rejects.toMatchObject({
        code: 'CASSETTE_EXHAUSTED',
        details: { purpose: 'agent', turn: 3, recorded: 3 },
      });
      await expect(ask(play(scripted, mode), { ...more, purpose: 'condense' })).rejects.toMatchObject({
        code: 'CASSETTE_EXHAUSTED',
      });
    },
  );

  test('wants the tools it names', async () => {
    const cassette = script([{ expect: { tools: ['read', 'bash'] }, say: 'x' }]);
    await expect(ask(play(cassette), contractRequest([userMessage('x')]))).rejects.toMatchObject({
      details: { expected: 'the tools bash' },
    });
  });

  test('survives being written and read', () => {
    expect(parseCassette(cassetteText(scripted))).toEqual(scripted);
  });

  test('pauses between frames as it says, on the clock it was given', async () => {
    const slow = new ManualClock();
    const frames: string[] = [];
    const model = cassetteModel(script([{ say: 'a'.repeat(60), paceMs: 40 }]), { clock: slow, pace: 0.5 });
    const call = model.call(contractRequest([userMessage('x')]), {
      signal,
      onFrame: (frame) => frames.push(frame.text),
    });
    await slow.advance(20);
    expect(frames).toHaveLength(1);
    await slow.advance(40);
    await call;
    expect(frames.join('')).toBe('a'.repeat(60));
  });
});

describe('a recording', () => {
  const path = (): string => join(directory, 'run.jsonl');
  /** Results that differ from run to run in what does not matter. */
  const world =
    (run: number) =>
    (turn: number): string =>
      `an empty file in /tmp/run-${run}/src after ${turn * run} ms`;

  test('plays the same conversation strictly, though times and paths differ', async () => {
    const recorded = await converse(recordingModel(play(scripted), { path: path() }), world(1));
    const played = await converse(play(readCassette(path())), world(2));
    const texts = (messages: readonly Message[]): unknown =>
      withoutIds(messages.filter((message) => message.role !== 'tool'));
    expect(texts(played)).toEqual(texts(recorded));
  });

  test('departs when a result differs in what does matter', async () => {
    await converse(recordingModel(play(scripted), { path: path() }), world(1));
    const failure = converse(play(readCassette(path())), (turn) =>
      turn === 2 ? world(1)(turn) : 'another empty file',
    );
    await expect(failure).rejects.toMatchObject({
      code: 'CASSETTE_DEPARTED',
      details: { turn: 2, diff: expect.stringMatching(/^- tool .*\n\+ tool .*another/) as string },
    });
  });

  test('is on disk after each call, readable by its owner only, and leaves no other file', async () => {
    await converse(recordingModel(play(scripted), { path: path() }), world(1), undefined, 1);
    expect(readCassette(path()).entries).toHaveLength(1);
    expect(statSync(path()).mode & 0o777).toBe(0o600);
    expect(readdirSync(directory)).toEqual(['run.jsonl']);
  });

  test('is continued after a crash in the middle of a line', async () => {
    const begun = await converse(recordingModel(play(scripted), { path: path() }), world(1), undefined, 1);
    appendFileSync(path(), '{"purpose":"agent","turn":1,"ans');
    expect(readCassette(path()).entries).toHaveLength(1);
    await converse(recordingModel(play(scripted), { path: path() }), world(1), begun);
    expect(readCassette(path()).entries.map((entry) => entry.turn)).toEqual([0, 1, 2]);
  });

  test('holds a repeated call once', async () => {
    const model = recordingModel(play(scripted), { path: path() });
    for (const callId of ['one', 'two']) await ask(model, contractRequest([userMessage('Fix it.')], callId));
    expect(readCassette(path()).entries).toHaveLength(1);
  });

  test('tells two conversations of one purpose apart', async () => {
    const judges = script([
      { purpose: 'judge', turn: 0, expect: { lastUserIncludes: 'one' }, say: 'No.' },
      { purpose: 'judge', turn: 0, expect: { lastUserIncludes: 'two' }, say: 'Yes.' },
    ]);
    const judge = (text: string): ModelRequest => ({
      ...contractRequest([userMessage(text)]),
      purpose: 'judge',
    });
    const model = recordingModel(play(judges), { path: path() });
    await ask(model, judge('diff one'));
    await ask(model, judge('diff two'));
    const played = play(readCassette(path()));
    expect(textOf(await ask(played, judge('diff two')))).toBe('Yes.');
    expect(textOf(await ask(played, judge('diff one')))).toBe('No.');
  });

  test('holds no secret, and plays with the same redaction', async () => {
    const redact = (text: string): string => text.replaceAll('hunter2', '[secret]');
    const cassette = script([
      { say: 'The password is hunter2.', toolCalls: [{ name: 'read', input: { path: 'hunter2' } }] },
    ]);
    const request = contractRequest([userMessage('hunter2 in the task')]);
    const answer = await ask(recordingModel(play(cassette), { path: path(), redact }), request);
    expect(textOf(answer)).toContain('hunter2');
    expect(readFileSync(path(), 'utf8')).not.toContain('hunter2');
    const played = cassetteModel(readCassette(path()), { clock, redact });
    expect(textOf(await ask(played, request))).toBe('The password is [secret].');
  });
});

describe('a cassette that cannot be read', () => {
  const head = '{"cassette":1,"model":"m/x","price":null,"contextTokens":1,"maxOutputTokens":1}\n';
  test.each([
    ['nothing', '', 'empty'],
    ['another version', '{"cassette":2}\n', 'line 1'],
    ['a broken line in the middle', `${head}{"purpose":\n{"purpose":"agent"}\n`, 'line 2'],
    ['a broken last line that is complete', `${head}{"purpose":\n`, 'line 2'],
    ['an entry without an answer', `${head}{"purpose":"agent","turn":0}\n`, 'line 2: answer'],
    [
      'a regular expression that is none',
      `${head}{"purpose":"a","turn":0,"expect":{"lastUserIncludes":{"regex":"("}},"answer":{}}\n`,
      'line 2',
    ],
  ])('is told with the line: %s', (_what, text, where) => {
    expect(() => parseCassette(text)).toThrow(
      expect.objectContaining({
        code: 'CASSETTE_INVALID',
        message: expect.stringContaining(where) as string,
      }),
    );
  });

  test('is told with the path when there is no file', () => {
    expect(() => readCassette(join(directory, 'none'))).toThrow(
      expect.objectContaining({ code: 'CASSETTE_INVALID' }),
    );
  });

  test('is not overwritten by a recording', () => {
    const path = join(directory, 'notes.txt');
    writeFileSync(path, 'my notes\n');
    expect(() => recordingModel(play(scripted), { path })).toThrow(
      expect.objectContaining({ code: 'CASSETTE_INVALID' }),
    );
    expect(readFileSync(path, 'utf8')).toBe('my notes\n');
  });
});

function withoutIds(messages: readonly Message[]): unknown {
  return JSON.parse(
    JSON.stringify(messages, (key, value: unknown) => (key === 'id' ? undefined : value)),
  ) as readonly AssistantPart[];
}
