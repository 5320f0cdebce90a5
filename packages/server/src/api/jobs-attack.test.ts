import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openConfig, type OpenConfig } from '../config/open-config.ts';
import { configPlane } from '../config/plane.ts';
import { ensureProject } from '../store/runs/ensure-project.ts';
import { accessWorld, memoryAudit, type AccessWorld } from '../testing/access-world.ts';
import { testDatabase } from '../testing/database.ts';
import { handingInPlane } from '../testing/schedule-world.ts';
import { campaignPlane } from '../runs/campaigns/plane.ts';
import { schedulePlane } from '../triggers/schedules/plane.ts';

/** Campaigns and schedules over a real configuration, asked by somebody who wants what is not theirs. */
const database = testDatabase();
const people = [
  { id: 'maya@example.org', projects: { web: 'maintainer', evil: 'maintainer' } },
  { id: 'mel@example.org', projects: { web: 'maintainer' } },
  { id: 'keeper@example.org', projects: { vault: 'maintainer' } },
];
const schedule = { task: 'x', cron: '0 1 * * *' };
let home: string;
let config: OpenConfig;
let world: AccessWorld;

beforeAll(async () => {
  const { db } = database;
  home = await mkdtemp(join(tmpdir(), 'berth-jobs-'));
  const document = {
    version: 1,
    projects: [
      { name: 'web', repository: '/srv/web.git' },
      { name: 'vault', repository: '/srv/vault.git' },
      { name: 'evil', repository: '/srv/evil/vault.git' },
    ],
    schedules: [{ ...schedule, name: 'rotate', project: 'vault' }],
    people,
  };
  await writeFile(join(home, 'berth.yaml'), JSON.stringify(document));
  config = await openConfig({ db, home, env: {} });
  for (const name of ['web', 'vault', 'evil/vault']) {
    await ensureProject(db, { name, repository: `/srv/${name}.git` });
  }
  // Whatever the rows are called: the configuration says which repository a name stands for.
  for (const [name, repository] of [
    ['other', '/srv/vault.git'],
    ['vault', '/srv/evil/vault.git'],
  ] as const) {
    await db.sql.updateTable('projects').set({ name }).where('repository', '=', repository).execute();
  }
  await config.change({
    section: 'schedules',
    name: 'keepers',
    value: { ...schedule, project: 'vault' },
    expected: 'new',
    by: 'keeper',
  });
  const controlPlane = handingInPlane(db, config);
  const audit = memoryAudit();
  world = accessWorld(db, document, {
    controlPlane,
    config: configPlane({ db, config }),
    schedules: schedulePlane({ db, config, controlPlane, audit }),
    campaigns: campaignPlane(db),
  });
  await world.app.ready();
});
afterAll(async () => {
  await world.close();
  await config.close();
  await rm(home, { recursive: true, force: true });
});

type Method = 'GET' | 'POST' | 'PUT' | 'DELETE';
async function ask(
  who: string,
  method: Method,
  url: string,
  payload?: unknown,
  headers: Record<string, string> = {},
) {
  const answer = await world.app.inject({
    method,
    url: `/api/v1${url}`,
    headers: { 'x-test-person': `${who}@example.org`, ...headers },
    ...(payload === undefined ? {} : { payload: payload as object }),
  });
  return {
    status: answer.statusCode,
    text: answer.body,
    etag: String(answer.headers.etag),
    json: () => answer.json<Record<string, unknown>>(),
  };
}
const schedulesNow = () => config.current().config.schedules.map(({ name, project }) => `${name}:${project}`);

test('a schedule is for the project that the configuration means, not for one that has its name', async () => {
  for (const project of ['vault', '/srv/vault.git', 'nowhere', 'p-000000']) {
    const made = await ask('maya', 'POST', '/schedules', { ...schedule, name: 'mine', project });
    expect([project, made.status]).toEqual([project, project.startsWith('/') ? 400 : 403]);
    expect(made.text).not.toContain('rotate');
  }
  const made = await ask('maya', 'POST', '/schedules', { ...schedule, name: 'mine', project: 'evil' });
  expect([made.status, made.text]).toEqual([201, expect.stringContaining('"project":"evil"')]);
});

test('a foreign schedule is neither read, changed, moved, fired nor deleted, and its name is not taken over', async () => {
  const before = schedulesNow();
  for (const id of ['rotate', 'keepers']) {
    for (const [method, url, body] of [
      ['GET', '', undefined],
      ['PUT', '', { ...schedule, project: 'web' }],
      ['DELETE', '', undefined],
      ['POST', '/pause', {}],
      ['POST', '/resume', {}],
      ['POST', '/run', {}],
    ] as const) {
      const headers = { 'if-match': '"1"' };
      const foreign = await ask('mel', method, `/schedules/${id}${url}`, body, headers);
      const nowhere = await ask('mel', method, `/schedules/nothing${url}`, body, headers);
      expect([method, url, foreign.status]).toEqual([method, url, 404]);
      expect(nowhere.status).toBe(404);
    }
    const taken = await ask('mel', 'POST', '/schedules', { ...schedule, name: id, project: 'web' });
    expect([id, taken.status >= 400 && taken.status < 500]).toEqual([id, true]);
  }
  expect(schedulesNow()).toEqual(before);
});

test('an own schedule is not moved into a foreign project, whatever the foreign one is called', async () => {
  expect(
    (await ask('mel', 'POST', '/schedules', { ...schedule, name: 'moves', project: 'web' })).status,
  ).toBe(201);
  const { etag } = await ask('mel', 'GET', '/schedules/moves');
  for (const project of ['vault', 'evil', 'nowhere']) {
    const moved = await ask('mel', 'PUT', '/schedules/moves', { ...schedule, project }, { 'if-match': etag });
    expect([project, moved.status]).toEqual([project, 403]);
  }
  expect(schedulesNow()).toContain('moves:web');
  // Two that read the same version: one change counts.
  const changes = await Promise.all(
    ['0 2 * * *', '0 3 * * *', '0 4 * * *'].map((cron) =>
      ask('mel', 'PUT', '/schedules/moves', { task: 'x', project: 'web', cron }, { 'if-match': etag }),
    ),
  );
  expect(changes.map(({ status }) => String(status)).toSorted()).toEqual(['200', '412', '412']);
});

test('times and zones that are none are refused by their place', async () => {
  for (const wrong of [
    { cron: '* * * *' },
    { cron: '61 * * * *' },
    { cron: '0 0 30 2 *' },
    { cron: '@reboot now  ' },
    { cron: `${'1,'.repeat(99)}1 * * * *` },
    { cron: '* * * * *; rm -rf /' },
    { cron: `0${' '.repeat(190)}0 1 1 1` },
    { timeZone: 'Mars/Olympus' },
    { timeZone: '../../etc/passwd' },
    { timeZone: `${'A/'.repeat(49)}A` },
    { limits: { costUsd: -1 } },
    { limits: { costUsd: 1e308 } },
    { overlap: 'whatever' },
    { constructor: 1 },
    { unknown: true },
    { project: ['web'] },
    { name: '../x' },
    { name: '__proto__' },
    { name: 'x'.repeat(5_000) },
  ]) {
    const body = { ...schedule, name: 'wrong', project: 'web', ...wrong };
    const { status, text } = await ask('mel', 'POST', '/schedules', body);
    if (status === 201) expect(['limits', 'cron']).toContain(Object.keys(wrong)[0]);
    else
      expect([wrong, status, text]).toEqual([
        wrong,
        expect.toSatisfy((code) => code >= 400 && code < 500),
        text,
      ]);
    if (status === 201) {
      const made = await ask('mel', 'GET', '/schedules/wrong');
      await ask('mel', 'DELETE', '/schedules/wrong', undefined, { 'if-match': made.etag });
    }
  }
  expect(schedulesNow().filter((one) => one.startsWith('wrong'))).toEqual([]);
});

test('a list of projects with a foreign one answers as one with one that is not there, and makes nothing', async () => {
  const answers = await Promise.all(
    ['/srv/vault.git', '/srv/vaunt.git'].map(async (foreign) => {
      const projects = ['web', foreign, 'web'];
      const { status, text } = await ask('mel', 'POST', '/campaigns', { text: 'x', projects });
      return `${status} ${text.replaceAll(foreign, 'IT').replaceAll(/req_[0-9a-f-]+/g, 'REQ')}`;
    }),
  );
  expect(answers[0]).toMatch(/^404/);
  expect(answers[0]).toBe(answers[1]);
  const huge = Array.from({ length: 1_001 }, (_, place) => `p${place}`);
  for (const projects of [huge, [], ['x'.repeat(5_000)], 'everything', [''], [null], {}]) {
    expect((await ask('mel', 'POST', '/campaigns', { text: 'x', projects })).status).toBe(400);
  }
  const many = Array.from({ length: 1_000 }, () => 'web');
  const once = await ask('mel', 'POST', '/campaigns', { text: 'x', projects: many, dryRun: true });
  expect(once.json()['projects']).toHaveLength(1);
  const all = await ask('mel', 'POST', '/campaigns', { text: 'x', projects: 'all', dryRun: true });
  expect(all.json()['projects']).toMatchObject([{ name: 'web' }]);
  expect((await ask('mel', 'GET', '/campaigns')).json()['campaigns']).toEqual([]);
});

test('the same key of another person is another campaign, and whoever lost the right gets no earlier answer', async () => {
  const body = { text: 'Move to the new logger', projects: ['web'] };
  const key = { 'idempotency-key': 'one-key-for-all' };
  const [first, other, again] = [
    await ask('mel', 'POST', '/campaigns', body, key),
    await ask('maya', 'POST', '/campaigns', body, key),
    await ask('mel', 'POST', '/campaigns', body, key),
  ];
  const idOf = (answer: typeof first) => (answer.json()['campaign'] as { id: string }).id;
  expect(idOf(again)).toBe(idOf(first));
  expect(idOf(other)).not.toBe(idOf(first));
  expect((await ask('mel', 'POST', '/campaigns', { ...body, text: 'another' }, key)).status).toBe(422);
  const id = idOf(other);
  const paused = await ask('maya', 'POST', `/campaigns/${id}/pause`, {}, key);
  expect(paused.status).toBe(200);
  world.config.change({ people: people.filter((one) => one.id !== 'maya@example.org') });
  expect((await ask('maya', 'POST', `/campaigns/${id}/pause`, {}, key)).status).toBe(404);
  const earlier = await ask('maya', 'POST', '/campaigns', body, key);
  expect([earlier.status, earlier.text.includes(id)]).toEqual([403, false]);
  world.config.change({ projects: config.current().config.projects, people });
});

test('acts on one campaign at once: each state has one mover, and nothing breaks', async () => {
  const made = await ask('mel', 'POST', '/campaigns', { text: 'x', projects: ['web'] });
  const { id } = made.json()['campaign'] as { id: string };
  const acts = Array.from({ length: 5 }, () => ['pause', 'resume', 'retry', 'pause']).flat();
  const answers = await Promise.all(acts.map((act) => ask('mel', 'POST', `/campaigns/${id}/${act}`, {})));
  expect(answers.filter(({ status }) => ![200, 409].includes(status))).toEqual([]);
  const ends = await Promise.all(acts.map(() => ask('mel', 'POST', `/campaigns/${id}/cancel`, {})));
  expect(ends.filter(({ status }) => status === 200)).toHaveLength(1);
  for (const act of ['pause', 'resume', 'retry', 'cancel']) {
    expect((await ask('mel', 'POST', `/campaigns/${id}/${act}`, {})).status).toBe(409);
  }
});

test('ids of other kinds, beginnings and wildcards name nothing', async () => {
  const made = await ask('mel', 'POST', '/campaigns', { text: 'x', projects: ['web'] });
  const { id } = made.json()['campaign'] as { id: string };
  for (const text of [
    id.replace('v-', 'r-'),
    id.replace('v-', 't-'),
    'web',
    'rotate',
    '%',
    'v_%',
    '_',
    '*',
    '\\',
    `${id}x`,
  ]) {
    for (const kind of ['campaigns', 'gates', 'schedules']) {
      const { status } = await ask('mel', 'GET', `/${kind}/${encodeURIComponent(text)}`);
      expect([kind, text, [400, 404].includes(status)]).toEqual([kind, text, true]);
    }
  }
  expect((await ask('keeper', 'GET', `/campaigns/${id}`)).status).toBe(404);
  expect((await ask('keeper', 'GET', '/campaigns/v-')).status).toBe(404);
});

const text = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 40 }),
  fc.constantFrom('web', 'vault', 'all', '\0', 'v-', '__proto__'),
);
const members = fc.constantFrom(
  'text',
  'projects',
  'concurrency',
  'canary',
  'stopOnFailureRate',
  'stopAfter',
  'options',
  'dryRun',
  'name',
  'project',
  'task',
  'cron',
  'timeZone',
  'limits',
  'base',
  'code',
  'reason',
  'comment',
  'tree',
);
const value = fc.oneof(text, fc.array(text, { maxLength: 4 }), fc.jsonValue({ maxDepth: 2 }));

test('whatever is sent to these routes, the answer is never a failure of ours, and nothing foreign is in it', async () => {
  const paths = world.app.routeTable.filter(
    ({ url, access }) => access.kind !== 'public' && /\/(campaigns|schedules|gates)(\/|$)/.test(url),
  );
  expect(paths.length).toBeGreaterThan(15);
  const before = schedulesNow().filter((one) => one.endsWith(':vault'));
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...paths),
      text,
      fc.dictionary(members, value, { maxKeys: 6 }),
      async (route, id, body) => {
        const url = route.url.replace(/^\/api\/v1/, '').replace(':id', encodeURIComponent(id) || 'x');
        const payload = route.method === 'GET' || route.method === 'DELETE' ? undefined : body;
        const { status, text: said } = await ask('mel', route.method as Method, url, payload, {
          'if-match': '"a"',
        });
        expect([route.url, body, status, said]).toEqual([
          route.url,
          body,
          expect.toSatisfy((code) => code < 500),
          said,
        ]);
        expect(said).not.toContain('keepers');
      },
    ),
    { numRuns: 400 },
  );
  expect(schedulesNow().filter((one) => one.endsWith(':vault'))).toEqual(before);
});
