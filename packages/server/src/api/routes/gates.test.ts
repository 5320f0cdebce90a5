import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import type { PlannedGates } from '../../domain/gates.ts';
import type { Worker } from '../../runs/worker.ts';
import { readRun } from '../../store/runs/read-run.ts';
import { accessWorld, type AccessWorld } from '../../testing/access-world.ts';
import { memoryAudit } from '../../testing/access-world.ts';
import { testDatabase } from '../../testing/database.ts';
import { gatedWorker, makeGatedRun } from '../../testing/gated-run.ts';

const store = testDatabase();
const home = mkdtempSync(join(tmpdir(), 'berth-gate-routes-'));
const ann = 'ann@example.org';
const ben = 'ben@example.org';
const people = [
  { id: ann, projects: { gated: 'maintainer' } },
  { id: ben, projects: { gated: 'approver' } },
  { id: 'mia@example.org', projects: { gated: 'member' } },
  { id: 'sam@example.org' },
];
const serviceAccounts = [{ name: 'bot', projects: { gated: 'approver' } }];
const gates: PlannedGates = {
  at: ['start'],
  selfApproval: false,
  expiresAfterMs: 86_400_000,
  requesters: [ann],
};
const audit = memoryAudit();
let world: AccessWorld;
let worker: Worker;

beforeAll(() => {
  const reader = {} as never;
  world = accessWorld(store.db, { people, serviceAccounts }, { audit: { sink: audit, reader } });
  worker = gatedWorker(store.db, home, gates);
});
afterAll(async () => {
  await worker.stop();
  await world.close();
  rmSync(home, { recursive: true, force: true });
});

async function runAtGate(): Promise<string> {
  const { runId } = await makeGatedRun(store.db, ann);
  await vi.waitFor(
    async () => {
      const run = await readRun(store.db, runId);
      expect(run.gate === null ? 'no gate' : run.owner).toBeNull();
    },
    { timeout: 120_000 },
  );
  return runId;
}

async function send(
  method: 'GET' | 'POST',
  url: string,
  as: { readonly person: string } | { readonly token: string },
  payload?: object,
) {
  const headers: Record<string, string> =
    'person' in as ? { 'x-test-person': as.person } : { authorization: `Bearer ${as.token}` };
  const answer = await world.app.inject({
    method,
    url: `/api/v1${url}`,
    headers,
    ...(payload === undefined ? {} : { payload }),
  });
  return { status: answer.statusCode, body: answer.json<Record<string, unknown>>() };
}

const tokenOf = async (person: string, serviceAccount: string | null = null): Promise<string> => {
  const asked = { purpose: 'ci', projects: null, permissions: null, days: 1, serviceAccount };
  const made = await world.tokens.create(await world.person(person), asked);
  return made.secret;
};

test('whose task it is cannot approve it, nor with a token, nor through a service they made a token for', async () => {
  const runId = await runAtGate();
  const own = await tokenOf(ann);
  world.config.change({ people: [...people.slice(1), { id: ann, role: 'admin' }], serviceAccounts });
  const throughService = await tokenOf(ann, 'bot');
  world.config.change({ people, serviceAccounts });
  for (const as of [{ person: ann }, { token: own }, { token: throughService }]) {
    const { status, body } = await send('POST', `/gates/${runId}/approve`, as);
    expect([status, body['code']]).toEqual([403, 'GATE_SELF_APPROVAL']);
  }
  expect((await readRun(store.db, runId)).gate).not.toBeNull();
  const { status, body } = await send('POST', `/gates/${runId}/approve`, { person: ben }, { comment: 'go' });
  expect([status, body]).toEqual([
    200,
    expect.objectContaining({ state: 'approved', decidedBy: ben, comment: 'go' }),
  ]);
  const again = await send('POST', `/gates/${runId}/refuse`, { person: ben });
  expect(again).toMatchObject({
    status: 409,
    body: { code: 'GATE_DECIDED', detail: expect.stringContaining(ben) },
  });
  expect(
    audit.acts.filter((act) => act.action === 'gate.approve').map((act) => [act.by, act.result]),
  ).toEqual([
    [ann, 'denied'],
    [ann, 'denied'],
    ['service:bot', 'denied'],
    [ben, 'allowed'],
  ]);
  expect(audit.acts.find((act) => act.result === 'allowed')?.details).toMatchObject({
    run: runId,
    at: 'start',
    waives: [],
  });
});

test('a role decides at the moment of the decision: a revoked one counts at once', async () => {
  const runId = await runAtGate();
  const token = await tokenOf(ben);
  expect((await send('GET', `/gates/${runId}`, { token })).body['state']).toBe('open');
  world.config.change({
    people: people.map((one) => (one.id === ben ? { id: ben, projects: { gated: 'member' } } : one)),
    serviceAccounts,
  });
  expect((await send('POST', `/gates/${runId}/approve`, { token })).status).toBe(403);
  world.config.change({ people: people.filter((one) => one.id !== ben), serviceAccounts });
  expect((await send('POST', `/gates/${runId}/approve`, { person: ben })).status).toBe(404);
  world.config.change({ people, serviceAccounts });
  expect((await send('POST', `/gates/${runId}/refuse`, { token })).status).toBe(200);
});

test('who may not see the project sees no gate, and who only works in it decides none', async () => {
  const runId = await runAtGate();
  const mia = { person: 'mia@example.org' };
  const sam = { person: 'sam@example.org' };
  const listed = await send('GET', '/gates', mia);
  expect(listed.body['gates']).toMatchObject([
    { run: runId, state: 'open', title: 'Fix the flaky date test' },
  ]);
  expect((await send('POST', `/gates/${runId}/approve`, mia)).status).toBe(403);
  expect((await send('GET', '/gates', sam)).body['gates']).toEqual([]);
  expect((await send('GET', `/gates/${runId}`, sam)).status).toBe(404);
  expect((await send('POST', `/gates/g-${runId.slice(2)}-1/approve`, sam)).status).toBe(404);
  expect((await send('GET', `/gates/g-${runId.slice(2)}-2`, mia)).status).toBe(404);
  const run = await send('GET', `/runs/${runId}`, mia);
  expect(run.body['gate']).toMatchObject({
    id: `g-${runId.slice(2)}-1`,
    whoMay: `an approver of the project, but not ${ann}, whose task it is`,
  });
  expect((await send('POST', `/runs/${runId}/resume`, { person: ann })).body).toMatchObject({
    code: 'CONFLICT',
  });
});
