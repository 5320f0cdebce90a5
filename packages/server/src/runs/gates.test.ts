import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sql } from 'kysely';
import { afterAll, afterEach, expect, test, vi } from 'vitest';
import type { EventData } from '../domain/events/index.ts';
import { gateIdOf, type PlannedGates } from '../domain/gates.ts';
import type { GateDecision } from '../domain/ports/gates.ts';
import { isOutcome } from '../domain/status.ts';
import { readEvents } from '../store/events/read-events.ts';
import { postDecision } from '../store/gates/post-decision.ts';
import { postInbox } from '../store/runs/post-inbox.ts';
import { readRun } from '../store/runs/read-run.ts';
import type { RunRecord } from '../store/runs/run-record.ts';
import { testDatabase } from '../testing/database.ts';
import { gatedWorker, makeGatedRun } from '../testing/gated-run.ts';
import { expireOnce } from './expire-gates.ts';
import { gatesOf } from './gates.ts';
import type { Worker } from './worker.ts';

const store = testDatabase();
const home = mkdtempSync(join(tmpdir(), 'berth-gates-'));
const workers: Worker[] = [];
afterEach(async () => {
  await Promise.all(workers.splice(0).map((worker) => worker.stop()));
});
afterAll(() => rmSync(home, { recursive: true, force: true }));

const owner = 'ann@example.com';
const gates: PlannedGates = {
  at: ['start'],
  selfApproval: true,
  expiresAfterMs: 86_400_000,
  requesters: [owner],
};

function work(over: Partial<PlannedGates> = {}, options: Parameters<typeof gatedWorker>[3] = {}): Worker {
  const worker = gatedWorker(store.db, home, { ...gates, ...over }, options);
  workers.push(worker);
  return worker;
}

const saying = (
  verdict: GateDecision['verdict'],
  by: string,
  comment: string | null = null,
): GateDecision => ({
  verdict,
  by: { id: by, tokenId: null },
  comment,
  tree: null,
});

async function until(runId: string, holds: (run: RunRecord) => boolean): Promise<RunRecord> {
  return vi.waitFor(
    async () => {
      const run = await readRun(store.db, runId);
      if (!holds(run))
        throw new Error(`still ${run.status.state} ${run.status.code ?? ''} ${run.status.reason}`);
      return run;
    },
    { timeout: 120_000, interval: 50 },
  );
}
const atGate = (runId: string): Promise<RunRecord> =>
  until(runId, (run) => run.gate !== null && run.owner === null);
const over = (runId: string): Promise<RunRecord> =>
  until(runId, (run) => isOutcome(run.status.state) && run.owner === null);
const decisionsOf = async (runId: string) =>
  (await readEvents(store.db, runId, { types: ['gate.decided'] })).map((entry) =>
    entry.type === 'gate.decided' ? entry.data : null,
  );
/** As if the time were over. */
const expire = (runId: string) =>
  sql`update runs set gate_expires_at = clock_timestamp() - interval '1 second' where id = ${runId}`.execute(
    store.db.sql,
  );

test('a run at a gate has no owner, holds no slot, does not wait in line and uses no time', async () => {
  work({}, { maxRuns: 1 });
  const first = await makeGatedRun(store.db, owner);
  const resting = await atGate(first.runId);
  expect(resting).toMatchObject({
    waiting: false,
    status: {
      state: 'paused',
      code: 'GATE_START',
      next: `berth approve ${first.runId} · berth refuse ${first.runId}`,
    },
  });
  expect(resting.status.reason).toContain('an approver of the project may decide until 20');
  // The one slot is free for another one.
  const second = await makeGatedRun(store.db, owner);
  await atGate(second.runId);
  const usedMs = resting.use.activeMs;
  const listed = await gatesOf(store.db).listOpen({ visible: 'all', limit: 10 });
  expect(listed.gates.map((gate) => gate.run)).toEqual([second.runId, first.runId]);
  const { state, decidedBy } = await gatesOf(store.db).decide(
    first.runId,
    saying('approved', 'ben@example.com'),
  );
  expect([state, decidedBy]).toEqual(['approved', 'ben@example.com']);
  const ended = await over(first.runId);
  expect(ended.gate).toBeNull();
  const entries = await readEvents(store.db, first.runId);
  const [opened, decided] = ['gate.opened', 'gate.decided'].map((type) =>
    entries.find((one) => one.type === type)!,
  );
  const waitedMs = Date.parse(decided!.at) - Date.parse(opened!.at);
  const wholeMs = Date.parse(entries.at(-1)!.at) - Date.parse(entries[0]!.at);
  expect(ended.use.activeMs).toBeLessThanOrEqual(wholeMs - waitedMs);
  expect(ended.use.activeMs).toBeGreaterThanOrEqual(usedMs);
});

test('a refusal ends the run with the words of who refused', async () => {
  work();
  const { runId } = await makeGatedRun(store.db, owner);
  await atGate(runId);
  await gatesOf(store.db).decide(runId, saying('refused', 'ben@example.com', 'not this quarter'));
  expect((await over(runId)).status).toMatchObject({
    state: 'cancelled',
    code: 'GATE_REFUSED',
    reason: 'Refused by ben@example.com: not this quarter',
  });
});

test('of many who decide at once on two replicas one wins, and the others are told who', async () => {
  work();
  const { runId } = await makeGatedRun(store.db, owner);
  await atGate(runId);
  const replicas = [gatesOf(store.db), gatesOf(await store.open())];
  const tries = Array.from({ length: 8 }, (_, place) =>
    replicas[place % 2]!.decide(
      runId,
      saying(place % 3 === 0 ? 'refused' : 'approved', `p${place}@example.com`),
    ),
  );
  const results = await Promise.allSettled(tries);
  const winners = results.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
  expect(winners).toHaveLength(1);
  for (const one of results) {
    if (one.status === 'fulfilled') continue;
    expect(one.reason).toMatchObject({ code: 'GATE_DECIDED', details: { by: winners[0]!.decidedBy } });
  }
  await over(runId);
  expect(await decisionsOf(runId)).toMatchObject([{ by: winners[0]!.decidedBy, verdict: winners[0]!.state }]);
  await expect(replicas[0]!.decide(runId, saying('approved', 'late@example.com'))).rejects.toMatchObject({
    code: 'GATE_DECIDED',
  });
});

test('a gate nobody decides ends once, however many look for it', async () => {
  const { runId } = await makeGatedRun(store.db, owner);
  work();
  await atGate(runId);
  expect(await expireOnce(store.db)).toEqual([]);
  await Promise.all(workers.splice(0).map((worker) => worker.stop()));
  await expire(runId);
  const other = await store.open();
  const rounds = await Promise.all([store.db, other, store.db, other].map((db) => expireOnce(db)));
  expect(rounds.flat()).toEqual([`g-${runId.slice(2)}-1`]);
  expect(await expireOnce(other)).toEqual([]);
  work();
  work();
  expect((await over(runId)).status).toMatchObject({ state: 'needs_human', code: 'GATE_EXPIRED' });
  expect(await decisionsOf(runId)).toMatchObject([{ verdict: 'expired', by: 'berth' }]);
});

test('a decision after the time is refused, also before anybody has noticed', async () => {
  work();
  const { runId } = await makeGatedRun(store.db, owner);
  await atGate(runId);
  await expire(runId);
  await expect(gatesOf(store.db).decide(runId, saying('approved', 'ben@example.com'))).rejects.toMatchObject({
    code: 'GATE_EXPIRED',
  });
});

test('nobody approves their own task where that is not allowed, not even past the API', async () => {
  work({ selfApproval: false, requesters: [owner, 'service:ci'] });
  const { runId } = await makeGatedRun(store.db, owner);
  const { gate } = await atGate(runId);
  for (const by of [owner, 'service:ci']) {
    await expect(gatesOf(store.db).decide(runId, saying('approved', by))).rejects.toMatchObject({
      code: 'GATE_SELF_APPROVAL',
    });
  }
  // Written into the inbox by something that asked nobody: its owner does not turn it into an event.
  const request = { kind: 'gate', gateId: gate!.id, verdict: 'approved', comment: null } as const;
  await postDecision(store.db, { id: 'i-forged-1', runId, by: owner, decision: { ...request, alsoBy: [] } });
  await until(runId, (run) => run.inboxCount === 0 && run.owner === null);
  await postInbox(store.db, {
    id: 'i-forged-2',
    runId,
    by: 'service:helper',
    request: { ...request, alsoBy: [owner] },
  });
  await until(runId, (run) => run.inboxCount === 0 && run.owner === null);
  expect(await decisionsOf(runId)).toEqual([]);
  expect((await readRun(store.db, runId)).gate?.id).toBe(gate!.id);
  // What was refused so does not keep others from deciding.
  await gatesOf(store.db).decide(runId, saying('approved', 'ben@example.com'));
  await over(runId);
  expect(await decisionsOf(runId)).toMatchObject([{ by: 'ben@example.com' }]);
});

test('a cancel and a refusal end a run at its gate although no slot is free', async () => {
  const hold = Promise.withResolvers<void>();
  const runs = await Promise.all([makeGatedRun(store.db, owner), makeGatedRun(store.db, owner)]);
  work();
  for (const { runId } of runs) await atGate(runId);
  await Promise.all(workers.splice(0).map((worker) => worker.stop()));
  // One slot, and a run that keeps it.
  work({ at: [] }, { maxRuns: 1, perform: () => hold.promise });
  const busy = await makeGatedRun(store.db, owner);
  await until(busy.runId, (run) => run.owner !== null && run.status.state === 'running');
  await postInbox(store.db, { id: 'i-cancel', runId: runs[0].runId, by: owner, request: { kind: 'cancel' } });
  await gatesOf(store.db).decide(runs[1].runId, saying('refused', 'ben@example.com'));
  expect((await over(runs[0].runId)).status).toMatchObject({ state: 'cancelled', code: 'RUN_CANCELLED' });
  expect((await over(runs[1].runId)).status).toMatchObject({ state: 'cancelled', code: 'GATE_REFUSED' });
  await expect(
    gatesOf(store.db).decide(runs[0].runId, saying('approved', 'ben@example.com')),
  ).rejects.toMatchObject({ code: 'GATE_DECIDED' });
  hold.resolve();
  await over(busy.runId);
});

test('what was looked at is what is decided: another tree is refused', async () => {
  const { runId } = await makeGatedRun(store.db, owner);
  const proposal = {
    commit: 'c1',
    tree: 't1',
    base: 'b1',
    branch: 'berth/x',
    files: 1,
    added: 1,
    removed: 0,
  };
  const opened: EventData<'gate.opened'> = {
    gateId: gateIdOf(runId, 1),
    at: 'proposal',
    reason: '',
    objections: [],
    requesters: [],
    proposal,
    selfApproval: true,
    expiresAt: new Date(Date.now() + 86_400_000).toISOString(),
  };
  work(
    { at: [] },
    {
      perform: async (key, events) => {
        if (key === '1:propose') await events.append({ type: 'gate.opened', data: opened });
      },
    },
  );
  await atGate(runId);
  const looked = (tree: string) => ({ ...saying('approved', 'ben@example.com'), tree });
  await expect(gatesOf(store.db).decide(runId, looked('t0'))).rejects.toMatchObject({ code: 'GATE_CHANGED' });
  expect(await gatesOf(store.db).decide(runId, looked('t1'))).toMatchObject({ state: 'approved', proposal });
});
