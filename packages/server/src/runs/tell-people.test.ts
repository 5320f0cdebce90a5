import { sql } from 'kysely';
import { expect, test } from 'vitest';
import { gateIdOf } from '../domain/gates.ts';
import { testDatabase } from '../testing/database.ts';
import { fakeNotifier } from '../testing/fake-notifier.ts';
import { makeOwnedRun, writerOf } from '../testing/owned-run.ts';
import { tellOnce, type TellPeopleParts } from './tell-people.ts';

const store = testDatabase();
const { signal } = new AbortController();

async function openedGate(): Promise<string> {
  const ownership = await makeOwnedRun(store.db);
  const writer = await writerOf(store.db, ownership);
  const data = {
    gateId: gateIdOf(ownership.runId, 1),
    at: 'start',
    reason: 'the project asks for approval before a run starts',
    objections: [],
    proposal: null,
    selfApproval: true,
    requesters: ['ann@example.com'],
    expiresAt: '2126-01-01T00:00:00.000Z',
  } as const;
  await writer.append([
    { type: 'gate.opened', data: { ...data, objections: [], requesters: [...data.requesters] } },
  ]);
  await writer.append([{ type: 'run.paused', data: { by: 'ann', reason: 'later' } }]);
  return ownership.runId;
}

const waiting = async (): Promise<number> => {
  const { rows } = await sql<{ n: number }>`select count(*)::int as n from notifications`.execute(
    store.db.sql,
  );
  return rows[0]!.n;
};
const makeDue = () => sql`update notifications set due_at = clock_timestamp()`.execute(store.db.sql);

function parts(scene = fakeNotifier(), over: Partial<TellPeopleParts> = {}) {
  const errors: string[] = [];
  const all: TellPeopleParts = {
    db: store.db,
    notifierFor: (event) => (event === 'gate.opened' ? scene.notifier : null),
    publicUrl: () => 'https://berth.example.com/',
    onError: (error) => errors.push(error.message),
    ...over,
  };
  return { all, scene, errors };
}

test('what an event says is noted with it and told once, also by two who look at once', async () => {
  const runId = await openedGate();
  const { all, scene } = parts();
  await Promise.all([tellOnce(all, signal), tellOnce({ ...all, db: await store.open() }, signal)]);
  expect(scene.all).toMatchObject([
    {
      id: `${runId}/2`,
      event: 'gate.opened',
      text: 'waits for approval: the project asks for approval before a run starts',
      run: { id: runId, project: 'sample', status: { state: 'paused', code: 'GATE_START' } },
      gate: { id: gateIdOf(runId, 1), state: 'open' },
      link: `https://berth.example.com/runs/${runId}`,
    },
  ]);
  expect(await waiting()).toBe(0);
});

test('a receiver that is away is tried again later, and in the end given up with a word', async () => {
  await openedGate();
  const { all, scene, errors } = parts();
  scene.behave('refuses');
  expect(await tellOnce(all, signal)).toBe(1);
  expect(await tellOnce(all, signal)).toBe(0);
  for (let tries = 2; tries <= 17; tries += 1) {
    await makeDue();
    await tellOnce(all, signal);
  }
  expect(errors).toEqual([expect.stringContaining('Given up after 17 tries, gate.opened of r-')]);
  expect(await waiting()).toBe(0);
  await openedGate();
  await tellOnce(all, signal);
  scene.behave('well');
  await makeDue();
  await tellOnce(all, signal);
  expect(scene.all).toHaveLength(1);
});

test('where nobody is to be told, nothing is kept', async () => {
  await openedGate();
  await tellOnce(parts(fakeNotifier(), { notifierFor: () => null }).all, signal);
  expect(await waiting()).toBe(0);
});
