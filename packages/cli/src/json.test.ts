import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { World } from './testing/spawn-berth.ts';

let world: World;
let id: string;
beforeAll(async () => {
  world = new World();
  await world.serve();
  id = (await world.run(['run', 'fix the flaky date test', '-q'])).stdout.trim();
});
afterAll(async () => world.end());

/** Values that differ from run to run, by their kind. */
function stable(text: string): unknown {
  return JSON.parse(text, (key, value: unknown) => {
    if (typeof value === 'number' && (key === 'used' || key === 'durationMs')) return `<${key}>`;
    if (typeof value !== 'string') return value;
    return value
      .replaceAll(world.directory, '<directory>')
      .replaceAll(/\b([rtm])-[0-9a-z]{16}\b/g, '<$1-id>')
      .replaceAll(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, '<time>')
      .replaceAll(/(berth\/[a-z-]+)-[0-9a-z]{6}\b/g, '$1-<suffix>');
  });
}

const json = async (...args: string[]): Promise<unknown> => {
  const { code, stdout, stderr } = await world.run([...args, '--json']);
  expect([code, stderr]).toEqual([0, '']);
  // Exactly one document, on one line where nobody reads along.
  expect(stdout.endsWith('\n')).toBe(true);
  expect(stdout.trim()).not.toContain('\n');
  return stable(stdout);
};

test('a run', async () => {
  expect(await json('show', id)).toMatchSnapshot();
});

test('the run a command followed is the same document as the one shown', async () => {
  expect(await json('run', 'fix the flaky date test')).toEqual(await json('show', id));
});

test('a proposal', async () => {
  expect(await json('proposals', 'show', id)).toMatchSnapshot();
});

test('doctor', async () => {
  expect(await json('doctor')).toMatchSnapshot();
});

test('lists, and one document per line under --jsonl', async () => {
  await world.run(['run', 'another']);
  expect(await json('runs', '--limit', '1')).toMatchObject({
    schema: 'berth.list/v1',
    items: [{ schema: 'berth.run-row/v1' }],
    next: expect.any(String) as unknown,
  });
  const { stdout } = await world.run(['runs', '--jsonl']);
  for (const line of stdout.trim().split('\n'))
    expect(JSON.parse(line)).toMatchObject({ schema: 'berth.run-row/v1' });
  expect(await json('proposals', '--project', 'nothing')).toEqual({
    schema: 'berth.list/v1',
    items: [],
    next: null,
  });
});

test('events under --jsonl, while they happen, closed by the run', async () => {
  const { stdout, stderr } = await world.run(['run', 'fix it', '--jsonl']);
  expect(stderr).toBe('');
  const documents = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { schema: string; seq: number });
  expect(documents.at(-1)).toMatchObject({ schema: 'berth.run/v1', status: { state: 'succeeded' } });
  const events = documents.slice(0, -1);
  expect(events.map((event) => event.seq)).toEqual(events.map((_, place) => place + 1));
  expect(stable(JSON.stringify(events[0]))).toMatchSnapshot();
});

test('only the fields asked for; an unknown one names those there are', async () => {
  const { stdout } = await world.run(['show', id, '--json=id,costUsd']);
  expect(JSON.parse(stdout)).toEqual({ id, costUsd: expect.any(Number) as unknown });
  const list = await world.run(['runs', '--json=id', '-n', '1']);
  expect(JSON.parse(list.stdout)).toMatchObject({ items: [{ id: expect.stringMatching(/^r-/) as unknown }] });
  const wrong = await world.run(['show', id, '--json=price']);
  expect([wrong.code, wrong.stdout]).toEqual([2, '']);
  expect(wrong.stderr).toContain('costUsd');
});

test('the long and the short form of a command are the same', async () => {
  for (const [long, short] of [
    [
      ['runs', 'view', id],
      ['show', id],
    ],
    [
      ['runs', 'diff', id],
      ['diff', id],
    ],
    [
      ['runs', 'logs', id],
      ['logs', id],
    ],
    [['runs', 'list'], ['runs']],
  ] as const) {
    const first = await world.run([...long]);
    expect(first.code).toBe(0);
    expect(await world.run([...short])).toEqual(first);
  }
});

test('without a terminal: tab-separated, nothing cut, absolute times, no escape sequence', async () => {
  const { stdout } = await world.run(['runs'], { env: { COLUMNS: '20' } });
  const cells = stdout.trim().split('\n').at(-1)!.split('\t');
  expect(cells).toHaveLength(7);
  expect(cells[3]).toBe('fix the flaky date test');
  expect(cells[6]).toMatch(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
  expect(stdout).not.toContain('\u001b');
  const coloured = await world.run(['status', id], { env: { FORCE_COLOR: '1' } });
  expect(coloured.code).toBe(0);
});

test('an id left out is the newest run of the repository around; beginnings of ids do', async () => {
  const newest = (await world.run(['run', 'newest', '-q'])).stdout.trim();
  expect((await world.run(['show', '-q'])).stdout.trim()).toBe(newest);
  expect((await world.run(['show', '-q', newest.slice(0, -3)])).stdout.trim()).toBe(newest);
});

test('the whole output of a call comes as it was', async () => {
  const { stdout } = await world.run(['logs', id, '--output', '3:check/test']);
  expect(stdout).toContain(' 1 failed, 11 passed\n');
});

test('words instead of marks under BERTH_ASCII, and completion scripts name the commands', async () => {
  const shown = await world.run(['show', id], { env: { BERTH_ASCII: '1' } });
  expect(shown.stdout).toMatch(/^status\tsucceeded/m);
  for (const shell of ['bash', 'zsh', 'fish']) {
    const { code, stdout } = await world.run(['completion', shell]);
    expect(code).toBe(0);
    for (const word of ['proposals', 'merge', '--no-propose']) expect(stdout).toContain(word);
  }
  expect((await world.run(['completion', 'tcsh'])).code).toBe(2);
});

test('under GitHub Actions steps are groups, failed checks errors, and the outcome is an output', async () => {
  const file = join(world.directory, 'outputs');
  const env = { GITHUB_ACTIONS: 'true', GITHUB_OUTPUT: file };
  const { stderr } = await world.run(['run', '{hostile} fix it'], { env });
  const spoken = stderr.split('\n').filter((line) => line.startsWith('::'));
  expect(spoken.slice(0, 2)).toEqual(['::group::prefetch', '::endgroup::']);
  expect(spoken).toContain('::error title=check failed::test failed');
  expect(spoken.filter((line) => !/^::(group|endgroup|error)\b/.test(line))).toEqual([]);
  expect(readFileSync(file, 'utf8')).toMatch(
    /^run-id=r-\w+\noutcome=succeeded\npr-url=file:\/\/\/forge\/demo\/pulls\/1\n$/,
  );
});
