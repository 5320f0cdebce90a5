import { afterEach, beforeEach, expect, test } from 'vitest';
import type { AuditFilter, AuditRow, AuditVerdict } from '@berth/server/domain/ports/audit.ts';
import { timeOf } from './commands/audit.ts';
import { World } from './testing/spawn-berth.ts';

let world: World;
beforeEach(() => {
  world = new World();
});
afterEach(async () => world.end());

const row: AuditRow = {
  position: 7,
  id: 'a-1',
  at: '2026-11-21T12:00:00.000Z',
  by: 'eve\u001b[31m@example.org',
  byKind: 'person',
  tokenId: null,
  via: 'oidc',
  action: 'run.get',
  object: { kind: 'run', id: 'r-1', projectId: 'p-1' },
  result: 'denied',
  code: 'FORBIDDEN',
  from: { address: '192.0.2.7', agent: null },
  requestId: null,
  details: { count: 12 },
  endedAt: null,
};
const good: AuditVerdict = {
  ok: true,
  entries: 3,
  seals: 1,
  runs: 2,
  events: 9,
  erased: 0,
  unsealed: { count: 0, from: null, oldestAt: null },
  cut: null,
  head: { number: 1, hash: 'abc' },
  findings: [],
  more: 0,
};
const bad: AuditVerdict = {
  ...good,
  ok: false,
  findings: [{ problem: 'entry-changed', position: 2, seal: 1, sentence: 'Entry 2 is not what was sealed.' }],
};

async function serve(verdict: AuditVerdict, exported: readonly string[] = []) {
  const filters: (AuditFilter & { readonly limit?: number })[] = [];
  await world.serve({
    audit: {
      sink: { record: async () => undefined, begin: async () => ({ end: async () => undefined }) },
      reader: {
        list: async (filter) => {
          filters.push(filter);
          return { acts: [row], next: '7' };
        },
        async *export(filter) {
          filters.push(filter);
          yield* exported;
        },
        async *verify() {
          yield { progress: { entries: 20_000, seals: 1, runs: 0 } };
          yield { verdict };
        },
        verifyRun: async () => verdict,
      },
    },
  });
  return filters;
}

test('acts are listed with the filters given, harmless to a terminal', async () => {
  const filters = await serve(good);
  const { code, stdout } = await world.run([
    'audit',
    '--by',
    'eve@example.org',
    '--action',
    'run',
    '--result',
    'denied',
    '--since',
    '2026-11-01T00:00Z',
    '-n',
    '5',
  ]);
  expect(code).toBe(0);
  expect(stdout).toContain('2026-11-21T12:00:00.000Z');
  expect(stdout).toContain('denied ×12');
  expect(stdout).not.toContain('\u001b');
  expect(filters).toEqual([
    { by: 'eve@example.org', action: 'run', result: 'denied', since: '2026-11-01T00:00:00.000Z', limit: 5 },
  ]);
  const json = await world.run(['audit', 'list', '--json']);
  expect(JSON.parse(json.stdout)).toMatchObject({ items: [{ id: 'a-1' }], next: '7' });
});

test('a record that holds exits 0, one that does not 11, naming what and where', async () => {
  await serve(good);
  const held = await world.run(['audit', 'verify']);
  expect([held.code, held.stdout]).toEqual([
    0,
    'The record holds: 3 acts in 1 seals, 2 runs with 9 events, head 1 abc.\n',
  ]);
  await world.end();
  world = new World();
  await serve(bad);
  const broken = await world.run(['audit', 'verify']);
  expect(broken.code).toBe(11);
  expect(broken.stdout).toContain('entry-changed  Entry 2 is not what was sealed.');
  const json = await world.run(['audit', 'verify', '--json']);
  expect(json.code).toBe(11);
  expect(JSON.parse(json.stdout)).toMatchObject({ schema: 'berth.audit-verdict/v1', ok: false });
  expect((await world.run(['audit', 'verify', '--exit-zero'])).code).toBe(0);
});

test('one run is verified by its id', async () => {
  await serve(bad);
  const { stdout } = await world.run(['run', 'fix it', '-q']);
  expect((await world.run(['runs', 'verify', stdout.trim()])).code).toBe(11);
  expect((await world.run(['audit', 'verify', '--run', stdout.trim()])).code).toBe(11);
});

test('an export is printed as it comes, and one that was cut off fails', async () => {
  const lines = ['{"kind":"export"}\n', '{"kind":"end","entries":0,"seals":0}\n'];
  const filters = await serve(good, lines);
  const { code, stdout } = await world.run(['audit', 'export', '--object', 'r-1']);
  expect([code, stdout]).toEqual([0, lines.join('')]);
  expect(filters).toEqual([{ object: 'r-1' }]);
  await world.end();
  world = new World();
  await serve(good, lines.slice(0, 1));
  expect((await world.run(['audit', 'export'])).code).toBe(10);
});

test('a time is one, or an age', () => {
  expect(timeOf('7d', 7 * 86_400_000)).toBe('1970-01-01T00:00:00.000Z');
  expect(timeOf(undefined)).toBeUndefined();
  expect(() => timeOf('soon')).toThrow(/no time/);
});
