import * as fc from 'fast-check';
import { sql } from 'kysely';
import { beforeEach, expect, test } from 'vitest';
import { localPrincipal, type Principal } from '../../domain/access.ts';
import { BerthError } from '../../domain/errors/index.ts';
import { runOptionsSchema } from '../../domain/task.ts';
import type { Database } from '../../store/database.ts';
import { readEvents } from '../../store/events/read-events.ts';
import { readItems } from '../../store/campaigns/items.ts';
import { ensureProject } from '../../store/runs/ensure-project.ts';
import { memoryAudit } from '../../testing/access-world.ts';
import { testDatabase } from '../../testing/database.ts';
import { ManualClock } from '../../testing/manual-clock.ts';
import { handingInPlane, pinnedConfig } from '../../testing/schedule-world.ts';
import { requestersOf } from '../requesters.ts';
import { isActive, itemState } from './decide.ts';
import { moveCampaign, type MoveParts } from './move.ts';
import { campaignPlane, type NewCampaign } from './plane.ts';

const database = testDatabase();
let clock: ManualClock;
let db: Database;
let parts: MoveParts;
/** What somebody may do, where it is not everything. */
let rights: Record<string, Partial<Principal> | BerthError>;
beforeEach(async () => {
  clock = new ManualClock(Date.parse('2026-05-01T00:00:00Z'));
  db = await database.open(clock);
  await sql`truncate campaigns, tasks cascade`.execute(db.sql);
  rights = {};
  parts = {
    db,
    audit: memoryAudit(),
    controlPlane: handingInPlane(db, pinnedConfig({})),
    principalNow: async (id) => {
      const own = rights[id] ?? {};
      if (own instanceof BerthError) throw own;
      return { ...localPrincipal(id), id, ...own };
    },
  };
});

async function make(names: readonly string[], options: Partial<NewCampaign> = {}): Promise<string> {
  const projectIds: string[] = [];
  for (const name of names) {
    projectIds.push((await ensureProject(db, { name, repository: `/srv/${name}.git` })).id);
  }
  const { id } = await campaignPlane(db).create({
    text: 'Move to the new logger',
    projectIds,
    options: runOptionsSchema.parse({}),
    concurrency: 2,
    canary: 0,
    stopRate: null,
    stopAfter: 5,
    by: 'ann@example.org',
    ...options,
  });
  return id;
}

const states = async (id: string) => (await readItems(db.sql, id)).map(itemState);
const view = (id: string) => campaignPlane(db).get(id, 'all');
const names = (count: number): string[] => Array.from({ length: count }, (_, place) => `p${place}`);

/** Ends runs of a campaign's projects, by their places. */
async function end(
  id: string,
  places: readonly number[],
  state: 'succeeded' | 'failed',
  code: string | null = null,
) {
  clock.jump(1_000);
  const items = await readItems(db.sql, id);
  for (const place of places) {
    await db.sql
      .updateTable('runs')
      .set({ state, code, reason: code ?? state, waiting: false, cost_usd: 0.5 })
      .where('id', '=', items[place]?.runId ?? '')
      .execute();
  }
}

test('projects get their turn in order, a few at a time, until all are over', async () => {
  const id = await make(names(4));
  expect(await moveCampaign(parts, id)).toHaveLength(2);
  expect(await states(id)).toEqual(['queued', 'queued', 'waiting', 'waiting']);
  await end(id, [1], 'succeeded');
  await moveCampaign(parts, id);
  expect(await states(id)).toEqual(['queued', 'succeeded', 'queued', 'waiting']);
  await end(id, [0, 2], 'succeeded');
  await moveCampaign(parts, id);
  await end(id, [3], 'failed', 'CHECKS_FAILED');
  await moveCampaign(parts, id);
  const done = await view(id);
  expect(done).toMatchObject({ state: 'done', projects: 4, costUsd: 2 });
  expect(done.failures).toMatchObject([{ code: 'CHECKS_FAILED', projects: 1 }]);
  const { results, next } = await campaignPlane(db).results(id, { visible: 'all', limit: 3 });
  expect(results.map(({ project }) => project)).toEqual(['p0', 'p1', 'p2']);
  const rest = await campaignPlane(db).results(id, { visible: 'all', limit: 3, after: next ?? -1 });
  expect(rest.results.map(({ code }) => code)).toEqual(['CHECKS_FAILED']);
  expect(rest.next).toBeNull();
});

test('the canary goes first, and the others only after it succeeded', async () => {
  const id = await make(names(4), { canary: 1, concurrency: 3 });
  await moveCampaign(parts, id);
  expect(await states(id)).toEqual(['queued', 'waiting', 'waiting', 'waiting']);
  await end(id, [0], 'succeeded');
  await moveCampaign(parts, id);
  expect(await states(id)).toEqual(['succeeded', 'queued', 'queued', 'queued']);
});

test('a canary that fails stops it; who resumes it goes on without', async () => {
  const id = await make(names(3), { canary: 1 });
  await moveCampaign(parts, id);
  await end(id, [0], 'failed', 'CHECKS_FAILED');
  await moveCampaign(parts, id);
  expect(await view(id)).toMatchObject({ state: 'stopped', code: 'CAMPAIGN_CANARY_FAILED' });
  expect(await states(id)).toEqual(['failed', 'waiting', 'waiting']);
  await campaignPlane(db).resume(id, 'ann@example.org');
  await moveCampaign(parts, id);
  expect(await states(id)).toEqual(['failed', 'queued', 'queued']);
});

test('it stops at its failure rate, once enough are over', async () => {
  const id = await make(names(8), { concurrency: 2, stopRate: 0.5, stopAfter: 3 });
  await moveCampaign(parts, id);
  await end(id, [0, 1], 'failed', 'CHECKS_FAILED');
  await moveCampaign(parts, id);
  expect((await view(id)).state).toBe('running');
  await end(id, [2], 'succeeded');
  await moveCampaign(parts, id);
  expect(await view(id)).toMatchObject({
    state: 'stopped',
    code: 'CAMPAIGN_FAILURE_RATE',
    reason: '2 of 3 that are over failed (67%).',
  });
  expect((await states(id)).filter((state) => state === 'waiting')).toHaveLength(4);
});

test('each turn asks again: who lost a role, or was shut out, hands nothing more in', async () => {
  const id = await make(names(4), { concurrency: 1 });
  await moveCampaign(parts, id);
  const [, second] = await readItems(db.sql, id);
  rights['ann@example.org'] = { globalRole: null, projectRoles: { [second?.projectId ?? '']: 'member' } };
  await end(id, [0], 'succeeded');
  await moveCampaign(parts, id);
  expect((await readItems(db.sql, id))[1]?.refused).toBeNull();
  expect(await states(id)).toEqual(['succeeded', 'queued', 'waiting', 'waiting']);
  await end(id, [1], 'succeeded');
  await moveCampaign(parts, id);
  expect(await states(id)).toEqual(['succeeded', 'succeeded', 'failed', 'waiting']);
  rights['ann@example.org'] = new BerthError('TOKEN_OWNER_DISABLED', 'ann@example.org is shut out.');
  await moveCampaign(parts, id);
  const { results } = await campaignPlane(db).results(id, { visible: 'all', limit: 9 });
  expect(results.map(({ code }) => code).slice(2)).toEqual(['FORBIDDEN', 'TOKEN_OWNER_DISABLED']);
  expect(results[2]?.reason).toBe('ann@example.org lacks the permission task.create on p2 by now.');
  expect(await db.sql.selectFrom('tasks').select('id').execute()).toHaveLength(2);
});

test('a viewer of all projects is no member of them, and a database that is away refuses nothing', async () => {
  const id = await make(names(2), { concurrency: 2 });
  rights['ann@example.org'] = new BerthError('DATABASE_UNAVAILABLE');
  await expect(moveCampaign(parts, id)).rejects.toMatchObject({ code: 'DATABASE_UNAVAILABLE' });
  rights['ann@example.org'] = { globalRole: 'viewer' };
  await moveCampaign(parts, id);
  expect(await states(id)).toEqual(['failed', 'failed']);
  expect(await db.sql.selectFrom('tasks').select('id').execute()).toHaveLength(0);
});

test('attempts are those of whoever asked for them, by the rights they have then', async () => {
  const id = await make(names(2), { concurrency: 2 });
  await moveCampaign(parts, id);
  await end(id, [0, 1], 'failed', 'CHECKS_FAILED');
  await moveCampaign(parts, id);
  const [first] = await readItems(db.sql, id);
  rights['ann@example.org'] = new BerthError('TOKEN_OWNER_DISABLED');
  rights['eve@example.org'] = { globalRole: null, projectRoles: { [first?.projectId ?? '']: 'maintainer' } };
  await campaignPlane(db).retry(id, 'eve@example.org', null);
  await moveCampaign(parts, id);
  expect(await states(id)).toEqual(['queued', 'failed']);
  const [again, refused] = await readItems(db.sql, id);
  expect(refused?.refused?.code).toBe('FORBIDDEN');
  const [created] = await readEvents(db, again?.runId ?? '', { types: ['run.created'] });
  expect(created?.data).toMatchObject({ parent: { kind: 'retry', by: 'eve@example.org' } });
  const who = (parts.audit as ReturnType<typeof memoryAudit>).acts.filter(
    (act) => act.action === 'run.retry',
  );
  expect(who.map(({ by }) => by)).toEqual(['eve@example.org']);
  // Who asked for an attempt may not be the one who approves it.
  expect((await requestersOf(db, again?.taskId ?? '')).toSorted()).toEqual([
    'ann@example.org',
    'eve@example.org',
  ]);
});

test('what cannot be handed in is a failure of its project', async () => {
  const id = await make(['gone', 'p1']);
  await moveCampaign(parts, id);
  expect(await states(id)).toEqual(['failed', 'queued']);
  expect((await view(id)).failures).toMatchObject([{ code: 'REPO_NOT_FOUND', runs: [] }]);
});

test('the failed ones of one code get another attempt of the same task', async () => {
  const id = await make(names(3), { concurrency: 3 });
  await moveCampaign(parts, id);
  await end(id, [0], 'failed', 'CHECKS_FAILED');
  await end(id, [1], 'failed', 'MODEL_UNAVAILABLE');
  await end(id, [2], 'succeeded');
  await moveCampaign(parts, id);
  expect((await view(id)).state).toBe('done');
  const before = await readItems(db.sql, id);
  await campaignPlane(db).retry(id, 'ann@example.org', 'MODEL_UNAVAILABLE');
  await Promise.all([moveCampaign(parts, id), moveCampaign(parts, id)]);
  await moveCampaign(parts, id);
  const after = await readItems(db.sql, id);
  expect(after.map(itemState)).toEqual(['failed', 'queued', 'succeeded']);
  expect(after.map(({ taskId }) => taskId)).toEqual(before.map(({ taskId }) => taskId));
  expect(after[1]?.runId).not.toBe(before[1]?.runId);
  expect(await db.sql.selectFrom('runs').select('id').execute()).toHaveLength(4);
});

test('a cancelled campaign hands nothing in any more and ends what runs', async () => {
  const id = await make(names(4));
  await moveCampaign(parts, id);
  const ended: string[] = [];
  const controlPlane: MoveParts['controlPlane'] = {
    ...parts.controlPlane,
    async cancel(runId) {
      ended.push(runId);
      throw new BerthError('CONFLICT');
    },
  };
  await campaignPlane(db).cancel(id, 'ann@example.org');
  await moveCampaign({ ...parts, controlPlane }, id);
  await moveCampaign({ ...parts, controlPlane }, id);
  expect(ended).toHaveLength(2);
  expect(await db.sql.selectFrom('tasks').select('id').execute()).toHaveLength(2);
  expect((await view(id)).counts).toMatchObject({ cancelled: 2, waiting: 0 });
});

test('with replicas that die anywhere: one task a project, never more at once, and it stops when it should', async () => {
  const step = fc.record({
    /** Tasks each replica makes before it is gone; whether after the last one or before. */
    lives: fc.array(fc.integer({ min: 0, max: 4 }), { minLength: 1, maxLength: 3 }),
    ends: fc.array(fc.boolean(), { maxLength: 3 }),
  });
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { minLength: 3, maxLength: 10 }),
      fc.integer({ min: 1, max: 4 }),
      fc.constantFrom(null, 0.5),
      async (steps, concurrency, stopRate) => {
        await sql`truncate campaigns, tasks cascade`.execute(db.sql);
        const id = await make(names(8), { concurrency, stopRate, stopAfter: 2 });
        const check = async (): Promise<void> => {
          const items = await readItems(db.sql, id);
          expect(items.filter(isActive).length).toBeLessThanOrEqual(concurrency);
          const tasks = await db.sql.selectFrom('tasks').select('project_id').execute();
          expect(new Set(tasks.map((task) => task.project_id)).size).toBe(tasks.length);
        };
        for (const { lives, ends } of steps) {
          await Promise.all(lives.map((nth) => moveCampaign(dying(parts, nth), id).catch(() => undefined)));
          await check();
          const items = await readItems(db.sql, id);
          const running = items.filter((item) => item.runId !== null && isActive(item));
          for (const [place, succeeds] of ends.entries()) {
            const item = running[place];
            if (item !== undefined) {
              await end(
                id,
                [item.position],
                succeeds ? 'succeeded' : 'failed',
                succeeds ? null : 'CHECKS_FAILED',
              );
            }
          }
        }
        for (let round = 0; round < 12; round += 1) {
          await moveCampaign(parts, id);
          await check();
          const items = await readItems(db.sql, id);
          await end(
            id,
            items.filter(isActive).map(({ position }) => position),
            'succeeded',
          );
        }
        await moveCampaign(parts, id);
        const now = await view(id);
        const handedIn = (await db.sql.selectFrom('tasks').select('id').execute()).length;
        if (now.state === 'stopped') expect(now.code).toBe('CAMPAIGN_FAILURE_RATE');
        else {
          expect(now.state).toBe('done');
          expect(handedIn).toBe(8);
        }
        expect(stopRate === null ? now.state : 'any').toBe(stopRate === null ? 'done' : 'any');
      },
    ),
    { numRuns: 10 },
  );
});

/** A replica that is gone around its nth task: before it is made, or before it can say so. */
function dying(whole: MoveParts, nth: number): MoveParts {
  let made = 0;
  const gone = (): never => {
    throw new BerthError('DATABASE_UNAVAILABLE', 'killed');
  };
  return {
    ...whole,
    controlPlane: {
      cancel: gone,
      retry: gone,
      async createTask(request) {
        if (made > nth / 2) gone();
        made += 1;
        const created = await whole.controlPlane.createTask(request);
        return nth % 2 === 1 && made > nth / 2 ? gone() : created;
      },
    },
  };
}
