import { afterAll, beforeAll, expect, test } from 'vitest';
import { roles, type Permission, type Role } from '../../domain/access.ts';
import {
  accessMatrix,
  addressOf,
  person,
  type AccessMatrix,
  type Objects,
  type Who,
} from '../../testing/access-matrix.ts';
import { testDatabase } from '../../testing/database.ts';
import { createApi } from '../create-api.ts';
import type { RouteEntry } from './authorise.ts';

/**
 * The access matrix: every route of the table × who asks × own and foreign objects. What is expected is written
 * down here a second time and not computed by what is tested.
 */
const weakest: Readonly<Record<Permission, readonly [any: Role, own: Role]>> = {
  'project.read': ['viewer', 'viewer'],
  'run.read': ['viewer', 'viewer'],
  'usage.read': ['viewer', 'viewer'],
  'task.create': ['member', 'member'],
  'run.act': ['approver', 'member'],
  'run.terminal': ['maintainer', 'member'],
  'campaign.manage': ['maintainer', 'member'],
  'gate.decide': ['approver', 'approver'],
  'proposal.decide': ['approver', 'approver'],
  'schedule.manage': ['maintainer', 'maintainer'],
  'project.configure': ['maintainer', 'maintainer'],
  'people.read': ['maintainer', 'maintainer'],
  'config.read': ['maintainer', 'maintainer'],
  'system.read': ['maintainer', 'maintainer'],
  'project.create': ['admin', 'admin'],
  'audit.read': ['admin', 'admin'],
  'people.manage': ['admin', 'admin'],
  'config.write': ['admin', 'admin'],
  'system.operate': ['admin', 'admin'],
};
const may = (role: Role | null, permission: Permission, isOwn: boolean): boolean =>
  role !== null && roles.indexOf(role) >= roles.indexOf(weakest[permission][isOwn ? 1 : 0]);

const database = testDatabase();
let matrix: AccessMatrix;
beforeAll(async () => {
  matrix = await accessMatrix(database.db, Object.keys(weakest) as Permission[]);
});
afterAll(async () => matrix.close());

const objectRoutes = () => matrix.gates.routeTable.filter((route) => route.access.kind === 'object');
const permissionOf = (route: RouteEntry): Permission =>
  'permission' in route.access ? route.access.permission : 'run.read';
const nameOf = (route: RouteEntry): string => `${route.method} ${route.url}`;

/** All that is not as expected at once, by route. */
class Wrong {
  readonly lines: string[] = [];
  see(route: RouteEntry, expected: string, found: string): void {
    if (found !== expected) this.lines.push(`${nameOf(route)}: ${found}, not ${expected}`);
  }
}

test('the table holds every route of the OpenAPI document', () => {
  const { paths } = matrix.world.app.swagger() as { paths: Record<string, Record<string, unknown>> };
  const documented = Object.entries(paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => `${method.toUpperCase()} ${path.replaceAll(/\{(\w+)\}/g, ':$1')}`),
  );
  const known = new Set(matrix.gates.routeTable.map(nameOf));
  expect(documented.filter((route) => !known.has(route))).toEqual([]);
  expect(objectRoutes().length).toBeGreaterThan(10);
});

test('a route without access stops the start', async () => {
  const app = createApi(matrix.world.controlPlane);
  expect(() => app.get('/open', async () => 'all')).toThrow('declares no access');
  await app.close();
});

test('only these routes ask nobody who they are', () => {
  const open = matrix.gates.routeTable.filter((route) => route.access.kind === 'public').map(nameOf);
  expect(
    open.filter(
      (route) =>
        !/^(GET \/(healthz|readyz|livez)$|\w+ \/(api\/v1\/)?auth\/|GET \/sign-in(\/page\.(css|js))?$|GET \/(assets\/|$))/.test(
          route,
        ),
    ),
  ).toEqual([]);
});

test('only these routes are let in by a signature', async () => {
  const signed = matrix.gates.routeTable.filter((route) => route.access.kind === 'signature').map(nameOf);
  expect(signed.toSorted()).toEqual(['POST /api/v1/hooks/forges/:name', 'POST /api/v1/hooks/triggers/:name']);
});

test.each(roles)('object routes: %s of the project', async (role) => {
  const wrong: string[] = [];
  for (const route of objectRoutes()) {
    const permission = permissionOf(route);
    const isProject = route.access.kind === 'object' && route.access.object === 'project';
    const who = { person: person(role) };
    const isOwn = role === 'member' && !isProject;
    for (const [what, objects, expected] of [
      ['of others', matrix.ours, may(role, permission, false) ? 'granted' : 'denied'],
      ['of the member', matrix.members, may(role, permission, isOwn) ? 'granted' : 'denied'],
      ['foreign', matrix.foreign, 'hidden'],
      ['nowhere', 'r-nothing', 'hidden'],
    ] as const) {
      const found = await matrix.enter(route, who, objects);
      if (found !== expected)
        wrong.push(`${nameOf(route)} (${permission}) ${what}: ${found}, not ${expected}`);
    }
  }
  expect(wrong).toEqual([]);
});

test('object routes: a stranger finds nothing, an admin of the installation everything', async () => {
  const wrong = new Wrong();
  for (const route of objectRoutes()) {
    for (const objects of [matrix.ours, matrix.foreign, 'r-nothing']) {
      wrong.see(route, 'hidden', await matrix.enter(route, { person: 'stranger@example.org' }, objects));
    }
    for (const objects of [matrix.ours, matrix.foreign]) {
      wrong.see(route, 'granted', await matrix.enter(route, { person: 'everywhere@example.org' }, objects));
    }
  }
  expect(wrong.lines).toEqual([]);
});

test('object routes: a token has what it was given and its owner has', async () => {
  const wrong = new Wrong();
  const { ours, foreign } = matrix;
  for (const route of objectRoutes()) {
    const permission = permissionOf(route);
    const other = permission === 'usage.read' ? 'audit.read' : 'usage.read';
    wrong.see(route, 'granted', await matrix.enter(route, { token: permission }, ours));
    wrong.see(route, 'denied', await matrix.enter(route, { token: other }, ours));
    wrong.see(route, 'granted', await matrix.enter(route, { token: 'web only' }, ours));
    wrong.see(route, 'hidden', await matrix.enter(route, { token: 'web only' }, foreign));
    // The owner has no role on the project of the scope.
    for (const objects of [ours, foreign]) {
      wrong.see(route, 'hidden', await matrix.enter(route, { token: 'other project' }, objects));
    }
    const expected = may('maintainer', permission, false) ? 'granted' : 'denied';
    wrong.see(route, expected, await matrix.enter(route, { token: 'all' }, ours));
  }
  expect(wrong.lines).toEqual([]);
});

test('routes of the installation take a role on it, not on a project', async () => {
  const wrong: string[] = [];
  for (const route of matrix.gates.routeTable) {
    if (route.access.kind !== 'installation') continue;
    const { permission } = route.access;
    const asked: (readonly [Who, string])[] = [
      ...roles.map((role) => [{ person: person(role) }, 'denied'] as const),
      [{ person: 'stranger@example.org' }, 'denied'],
      [{ person: 'everywhere@example.org' }, 'granted'],
      [{ token: 'web only' }, 'denied'],
      [{ token: permission }, 'granted'],
      [{ token: permission === 'usage.read' ? 'audit.read' : 'usage.read' }, 'denied'],
    ];
    for (const [who, expected] of asked) {
      const found = await matrix.enter(route, who, '');
      if (found !== expected)
        wrong.push(`${nameOf(route)} ${JSON.stringify(who)}: ${found}, not ${expected}`);
    }
  }
  expect(wrong).toEqual([]);
});

test('lists and new objects: refused to who has the permission nowhere', async () => {
  const wrong: string[] = [];
  for (const route of matrix.gates.routeTable) {
    if (route.access.kind !== 'list' && route.access.kind !== 'new') continue;
    const { kind, permission } = route.access;
    const other = permission === 'usage.read' ? 'audit.read' : 'usage.read';
    const asked: (readonly [Who, string])[] = [
      [{ token: permission }, 'granted'],
      [{ token: other }, 'denied'],
    ];
    for (const role of roles) {
      const expected = weakest[permission][0] === 'viewer' || may(role, permission, true);
      asked.push([{ person: person(role) }, expected ? 'granted' : 'denied']);
    }
    if (kind === 'new') asked.push([{ person: 'stranger@example.org' }, 'denied']);
    for (const [who, expected] of asked) {
      const found = await matrix.enter(route, who, '');
      if (found !== expected)
        wrong.push(`${nameOf(route)} ${JSON.stringify(who)}: ${found}, not ${expected}`);
    }
  }
  expect(wrong).toEqual([]);
});

test('lists hold nothing foreign, whatever is asked of them', async () => {
  const leaks: string[] = [];
  for (const route of matrix.world.app.routeTable) {
    // A stream never ends; live-stream.test.ts asks it for what is foreign.
    if (route.access.kind !== 'list' || route.method !== 'GET' || route.url.endsWith('/stream')) continue;
    const base = addressOf(route, '');
    const askers: Who[] = [
      { person: person('admin') },
      { person: 'stranger@example.org' },
      { token: 'web only' },
      { token: 'other project' },
    ];
    for (const who of askers) {
      for (const query of [
        '',
        `?project=${matrix.foreign.project}`,
        '?project=vault',
        '?project=/srv/vault.git',
      ]) {
        const { status, text } = await matrix.ask('GET', base + query, who);
        if (status >= 500) leaks.push(`${base}${query}: ${text}`);
        const rest = text.replaceAll(query.slice(1) || 'nothing', '');
        leaks.push(
          ...matrix.foreignMarks
            .filter((mark) => rest.includes(mark))
            .map((mark) => `${base}${query}: ${mark}`),
        );
      }
    }
  }
  expect(leaks).toEqual([]);
  // The asking itself works: to an admin of the installation the matrix.foreign run is there.
  expect((await matrix.ask('GET', '/api/v1/runs', { person: 'everywhere@example.org' })).text).toContain(
    matrix.foreign.run,
  );
});

test('a foreign object answers as one that is not there, to the letter', async () => {
  const missing: Objects = {
    project: 'p-zzz',
    task: 't-zzzzzzzzzzzzzzzz',
    run: 'r-zzzzzzzzzzzzzzzz',
    proposal: 'r-zzzzzzzzzzzzzzzz',
    gate: 'g-zzzzzzzzzzzzzzzz-1',
    campaign: 'v-zzzzzzzzzzzzzzzz',
    schedule: 'nightly-zzzzz',
    trigger: 'hook-zzzzz',
    delivery: 'd-zzzzzzzzzzzzzzzz',
  };
  /** What the routes need that answer nothing without. */
  const queries: Readonly<Record<string, string>> = {
    '/file': '?path=README.md',
    '/egress/explain': '?host=a.example',
  };
  /** Bodies of the routes that take no empty one. */
  const payloads: Readonly<Record<string, object>> = {
    '/messages': { text: 'hi' },
    '/schedules/:id': { project: 'web', task: 'x', cron: '0 1 * * *' },
  };
  const notAsked: string[] = [];
  const different: string[] = [];
  for (const route of matrix.world.app.routeTable) {
    const { access } = route;
    if (access.kind !== 'object') continue;
    const there = matrix.foreign[access.object];
    const gone = missing[access.object];
    const bodies = await Promise.all(
      [there, gone].map(async (id) => {
        const [, body] = Object.entries(payloads).find(([end]) => route.url.endsWith(end)) ?? [];
        const payload = route.method === 'GET' ? undefined : (body ?? {});
        const { status, text } = await matrix.ask(
          route.method,
          addressOf(route, id) +
            (Object.entries(queries).find(([end]) => route.url.endsWith(end))?.[1] ?? ''),
          { person: person('admin') },
          payload,
        );
        if (status === 400) {
          notAsked.push(nameOf(route));
          return 'not asked: the body is not valid';
        }
        return `${status} ${text.replaceAll(id, 'ID').replaceAll(/req_[0-9a-f-]+/g, 'REQ')}`;
      }),
    );
    if (bodies[0] !== bodies[1]) different.push(`${nameOf(route)}: ${bodies.join(' ≠ ')}`);
    if (bodies[0]?.startsWith('404') === false && !bodies[0].startsWith('not asked')) {
      different.push(`${nameOf(route)}: ${bodies[0]}`);
    }
  }
  expect(different).toEqual([]);
  expect([...new Set(notAsked)]).toEqual([]);
});

test('neither a beginning of an id nor `latest` finds a foreign run, or makes an own one ambiguous', async () => {
  const stranger = { person: 'stranger@example.org' };
  const viewer = { person: person('viewer') };
  for (let length = 1; length <= matrix.foreign.run.length; length += 1) {
    const start = matrix.foreign.run.slice(0, length);
    if (!/^[A-Za-z0-9_-]+$/.test(start)) continue;
    const { status, text } = await matrix.ask('GET', `/api/v1/runs/${start}`, stranger);
    expect([start, status]).toEqual([start, 404]);
    expect(text.replaceAll(start, '')).not.toMatch(/AMBIGUOUS|r-[0-9a-z]{16}/);
    const own = await matrix.ask('GET', `/api/v1/runs/${start}`, viewer);
    expect(own.text).not.toContain(`"id":"${matrix.foreign.run}"`);
  }
  expect((await matrix.ask('GET', '/api/v1/runs/latest', stranger)).status).toBe(404);
  const latest = await matrix.ask('GET', '/api/v1/runs/latest', viewer);
  expect(latest.text).toContain(`"id":"${matrix.members.run}"`);
});

test('a task for a foreign repository is answered as one for a repository that is no project', async () => {
  const answers = await Promise.all(
    ['/srv/vault.git', '/srv/vacant.git'].map(async (repository) => {
      const { status, text } = await matrix.ask(
        'POST',
        '/api/v1/tasks',
        { person: person('maintainer') },
        { repository, text: 'x' },
      );
      return `${status} ${text.replaceAll(/req_[0-9a-f-]+/g, 'REQ')}`;
    }),
  );
  expect(answers[0]).toMatch(/^403/);
  expect(answers[0]).toBe(answers[1]);
  const viewer = await matrix.ask(
    'POST',
    '/api/v1/tasks',
    { person: person('viewer') },
    { repository: '/srv/web.git', text: 'x' },
  );
  expect(viewer.status).toBe(403);
  const member = await matrix.ask(
    'POST',
    '/api/v1/tasks',
    { person: person('member') },
    { repository: '/srv/web.git', text: 'x' },
  );
  expect(member.status).toBe(201);
});
