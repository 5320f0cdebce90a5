import { afterAll, beforeAll, expect, test } from 'vitest';
import type { ConfigPlane } from '../config/plane.ts';
import { BerthError } from '../domain/errors/index.ts';
import { campaignPlane } from '../runs/campaigns/plane.ts';
import { ensureProject } from '../store/runs/ensure-project.ts';
import { accessWorld, memoryAudit, type AccessWorld } from '../testing/access-world.ts';
import { testDatabase } from '../testing/database.ts';
import { handingInPlane, pinnedConfig } from '../testing/schedule-world.ts';
import { schedulePlane } from '../triggers/schedules/plane.ts';

const database = testDatabase();
const configuration = {
  projects: [
    { name: 'web', repository: '/srv/web.git' },
    { name: 'vault', repository: '/srv/vault.git' },
  ],
  schedules: [
    { name: 'nightly', project: 'web', task: 'Update', cron: '30 2 * * *', timeZone: 'Europe/Zurich' },
    { name: 'secret', project: 'vault', task: 'Rotate the vault', cron: '0 3 * * *' },
  ],
  people: [
    { id: 'viewer@example.org', projects: { web: 'viewer' } },
    { id: 'member@example.org', projects: { web: 'member' } },
    { id: 'maintainer@example.org', projects: { web: 'maintainer' } },
    { id: 'both@example.org', projects: { web: 'maintainer', vault: 'maintainer' } },
    { id: 'admin@example.org', role: 'admin' },
  ],
};
let world: AccessWorld;
let changes: Parameters<ConfigPlane['change']>[0][] = [];

beforeAll(async () => {
  const { db } = database;
  for (const name of ['web', 'vault']) await ensureProject(db, { name, repository: `/srv/${name}.git` });
  const config = pinnedConfig(configuration);
  const controlPlane = handingInPlane(db, config);
  const plane = {
    async change(change: Parameters<ConfigPlane['change']>[0]) {
      changes = [...changes, change];
      throw new BerthError('CONFIG_READ_ONLY');
    },
    object: async () => ({ version: 'new' }),
    current: () => config.current(),
  } as unknown as ConfigPlane;
  world = accessWorld(db, configuration, {
    controlPlane,
    config: plane,
    schedules: schedulePlane({ db, config, controlPlane, audit: memoryAudit() }),
    campaigns: campaignPlane(db),
  });
  await world.app.ready();
});
afterAll(() => world.close());

async function ask(who: string, method: 'GET' | 'POST', url: string, payload?: object) {
  const answer = await world.app.inject({
    method,
    url: `/api/v1${url}`,
    headers: { 'x-test-person': `${who}@example.org` },
    ...(payload === undefined ? {} : { payload }),
  });
  return { status: answer.statusCode, text: answer.body, json: answer.json<Record<string, unknown>>() };
}

test('schedules are seen as far as their projects are, with their next times in their zone', async () => {
  const own = await ask('viewer', 'GET', '/schedules');
  expect(own.text).not.toContain('secret');
  const [schedule] = own.json['schedules'] as { name: string; next: { at: string; local: string }[] }[];
  expect(schedule?.next).toHaveLength(3);
  expect(schedule?.next[0]?.local).toMatch(/ 02:30 GMT\+0[12]:00$/);
  expect((await ask('admin', 'GET', '/schedules')).text).toContain('secret');
  expect((await ask('viewer', 'GET', '/schedules/secret')).status).toBe(404);
});

test('only who manages the schedules of the project changes them, and nobody moves one into a foreign project', async () => {
  changes = [];
  const body = { name: 'mine', project: 'web', task: 'x', cron: '0 1 * * *' };
  expect((await ask('member', 'POST', '/schedules', body)).status).toBe(403);
  expect((await ask('maintainer', 'POST', '/schedules', { ...body, project: 'vault' })).status).toBe(403);
  expect((await ask('maintainer', 'POST', '/schedules', { ...body, project: 'nowhere' })).status).toBe(403);
  expect(changes).toEqual([]);
  await ask('maintainer', 'POST', '/schedules', body);
  expect(changes).toMatchObject([{ section: 'schedules', name: 'mine', expected: 'new' }]);
  expect((await ask('member', 'POST', '/schedules/nightly/pause', {})).status).toBe(403);
  const paused = await ask('maintainer', 'POST', '/schedules/nightly/pause', { reason: 'holidays' });
  expect(paused.json['paused']).toMatchObject({ by: 'maintainer@example.org', reason: 'holidays' });
  expect((await ask('maintainer', 'POST', '/schedules/nightly/resume', {})).json['paused']).toBeNull();
  const ran = await ask('maintainer', 'POST', '/schedules/nightly/run', {});
  expect(ran.status).toBe(201);
  expect(ran.json['last']).toMatchObject([{ kind: 'asked', outcome: 'handed_in' }]);
});

test('a campaign needs the right on each project, and a foreign project does not exist', async () => {
  const body = { text: 'Move to the new logger', projects: ['web'] };
  expect((await ask('viewer', 'POST', '/campaigns', body)).status).toBe(403);
  const foreign = await ask('member', 'POST', '/campaigns', { ...body, projects: ['web', 'vault'] });
  const nowhere = await ask('member', 'POST', '/campaigns', { ...body, projects: ['web', 'vaunt'] });
  expect([foreign.status, nowhere.status]).toEqual([404, 404]);
  const dry = await ask('member', 'POST', '/campaigns', { ...body, dryRun: true });
  expect(dry.json).toMatchObject({ campaign: null, projects: [{ name: 'web' }] });
  expect((await ask('member', 'GET', '/campaigns')).json['campaigns']).toEqual([]);
});

test('a campaign is seen as far as its projects are, and acted on only by who may on all of them', async () => {
  const made = await ask('both', 'POST', '/campaigns', { text: 'Both', projects: ['vault', 'web'] });
  expect(made.status).toBe(201);
  const { id } = made.json['campaign'] as { id: string };
  const seen = await ask('viewer', 'GET', `/campaigns/${id}`);
  expect(seen.json).toMatchObject({ projects: 1, counts: { waiting: 1 } });
  const results = await ask('viewer', 'GET', `/campaigns/${id}/results`);
  expect(results.json['results']).toMatchObject([{ project: 'web', state: 'waiting' }]);
  expect(results.text).not.toContain('vault');
  for (const act of ['pause', 'cancel', 'retry']) {
    const answer = await ask('maintainer', 'POST', `/campaigns/${id}/${act}`, {});
    expect([act, answer.status]).toEqual([act, 403]);
    expect(answer.text).not.toContain('vault');
  }
  expect((await ask('both', 'POST', `/campaigns/${id}/pause`, {})).json['state']).toBe('paused');
  expect((await ask('both', 'POST', `/campaigns/${id}/pause`, {})).status).toBe(409);
  expect((await ask('both', 'POST', `/campaigns/${id}/resume`, {})).json['state']).toBe('running');
  expect((await ask('admin', 'POST', `/campaigns/${id}/cancel`, {})).json['state']).toBe('cancelled');
  const list = await ask('viewer', 'GET', '/campaigns');
  expect(list.json['campaigns']).toMatchObject([{ id, projects: 1 }]);
});
