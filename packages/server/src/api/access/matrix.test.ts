import { afterAll, beforeAll, expect, test } from 'vitest';
import type { FastifyInstance } from 'fastify';
import { roles, type Permission, type Role } from '../../domain/access.ts';
import { BerthError } from '../../domain/errors/index.ts';
import { objectKinds, type ControlPlane, type ObjectKind } from '../../domain/ports/control-plane.ts';
import { runOptionsSchema } from '../../domain/task.ts';
import { accessWorld, type AccessWorld } from '../../testing/access-world.ts';
import { testDatabase } from '../../testing/database.ts';
import { testProjection } from '../../testing/project-run.ts';
import { createTask } from '../../store/runs/create-task.ts';
import { ensureProject } from '../../store/runs/ensure-project.ts';
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

/** Kinds of objects that are really made here; the others answer through a locator that keeps the port's contract. */
const realKinds = ['project', 'task', 'run', 'proposal'] as const;

const database = testDatabase();
const person = (role: Role): string => `${role}@example.org`;
let world: AccessWorld;
/** Routes are entered up to their handler and no further: nothing is changed by asking. */
let gates: FastifyInstance;
const secrets = new Map<string, string>();
let ours: Record<ObjectKind, string>;
let members: Record<ObjectKind, string>;
let foreign: Record<ObjectKind, string>;
let foreignMarks: readonly string[];

async function makeObjects(
  project: string,
  repository: string,
  by: string,
): Promise<Record<ObjectKind, string>> {
  const { id, name } = await ensureProject(database.db, { name: project, repository });
  const { taskId, runId } = await createTask(database.db, {
    project: { id, name, repository },
    text: `secret of ${project} by ${by}`,
    origin: { kind: 'api', by, url: null },
    options: runOptionsSchema.parse({}),
    projection: testProjection,
    redact: (value) => value,
  });
  const other = Object.fromEntries(objectKinds.map((kind) => [kind, `${kind}-of-${id}-${by}`]));
  return { ...other, project: id, task: taskId, run: runId, proposal: runId } as Record<ObjectKind, string>;
}

beforeAll(async () => {
  const people = {
    people: [
      ...roles.map((role) => ({ id: person(role), projects: { web: role } })),
      { id: 'everywhere@example.org', role: 'admin' },
      { id: 'stranger@example.org' },
    ],
  };
  world = accessWorld(database.db, people);
  ours = await makeObjects('web', '/srv/web.git', 'somebody@example.org');
  members = await makeObjects('web', '/srv/web.git', person('member'));
  // The newest run of all is a foreign one: `latest` must not find it.
  foreign = await makeObjects('vault', '/srv/vault.git', 'keeper@example.org');
  foreignMarks = [...new Set(Object.values(foreign)), 'vault', 'keeper@example.org'];
  const token = async (
    name: string,
    owner: string,
    projects: string[] | null,
    permissions: Permission[] | null,
  ) => {
    const made = await world.tokens.create(
      await world.person(owner),
      { purpose: name, projects, permissions, days: 1, serviceAccount: null },
      { address: null, agent: null, requestId: null },
    );
    secrets.set(name, made.secret);
  };
  await token('all', person('maintainer'), null, null);
  await token('web only', 'everywhere@example.org', [ours.project], null);
  await token('other project', person('maintainer'), [foreign.project], null);
  for (const permission of Object.keys(weakest) as Permission[]) {
    await token(permission, 'everywhere@example.org', null, [permission]);
  }
  const owners = new Map(
    [ours, members, foreign].flatMap((set, place) =>
      Object.values(set).map((id) => [
        id,
        {
          id,
          projectId: place === 2 ? foreign.project : ours.project,
          ownerId: place === 1 ? person('member') : null,
        },
      ]),
    ),
  );
  const locate: ControlPlane['locate'] = async (kind, text, visible) => {
    if ((realKinds as readonly string[]).includes(kind))
      return world.controlPlane.locate(kind, text, visible);
    const found = owners.get(text);
    if (found === undefined || (visible !== 'all' && !visible.includes(found.projectId))) {
      throw new BerthError('NOT_FOUND', `There is no ${kind} ${text}.`);
    }
    return found;
  };
  gates = createApi({ ...world.controlPlane, locate } as ControlPlane, {
    authenticate: async (request) => {
      const secret = request.headers['x-test-token'];
      if (typeof secret === 'string') return tokenPrincipal(secret);
      return world.person(String(request.headers['x-test-person']));
    },
    rates: { reads: plenty, writes: plenty, unknown: plenty },
  });
  // Who may is decided before any handler; what a handler wants of a body is not what is asked here.
  gates.setValidatorCompiler(() => () => true);
  gates.addHook('preHandler', async (_, reply) => reply.code(299).send('"entered"'));
  await gates.ready();
  await world.app.ready();
});
afterAll(async () => {
  await gates.close();
  await world.close();
});
const plenty = { perSecond: 1e6, burst: 1e6 };

/** What the real entrance makes of a token. */
const principals = new Map<string, Awaited<ReturnType<AccessWorld['person']>>>();
async function tokenPrincipal(name: string) {
  const known = principals.get(name);
  if (known !== undefined) return known;
  const view = (await world.tokens.list({})).find((one) => one.purpose === name);
  const owner = await world.person(view?.owner ?? '');
  const principal = {
    ...owner,
    via: 'token' as const,
    tokenId: view?.id ?? null,
    sessionId: null,
    scope: { projects: view?.projects?.map(({ id }) => id) ?? null, permissions: view?.permissions ?? null },
  };
  principals.set(name, principal);
  return principal;
}

type Who = { readonly person: string } | { readonly token: string };
const headersOf = (who: Who): Record<string, string> =>
  'person' in who ? { 'x-test-person': who.person } : { 'x-test-token': who.token };

function addressOf(route: RouteEntry, objects: Record<ObjectKind, string> | string): string {
  const { access, url } = route;
  const parameter = access.kind === 'object' ? (access.parameter ?? 'id') : null;
  return url.replaceAll(/:([A-Za-z]+)/g, (_, name: string) => {
    if (name !== parameter || access.kind !== 'object') return 'anything';
    return typeof objects === 'string' ? objects : objects[access.object];
  });
}

async function enter(route: RouteEntry, who: Who, objects: Record<ObjectKind, string> | string) {
  const answer = await gates.inject({
    method: route.method as 'GET',
    url: addressOf(route, objects),
    headers: headersOf(who),
    ...(route.method === 'GET' ? {} : { payload: {} }),
  });
  if (answer.statusCode === 299) return 'granted';
  const { code } = answer.json<{ code: string }>();
  return code === 'FORBIDDEN' ? 'denied' : code === 'NOT_FOUND' ? 'hidden' : code;
}

const objectRoutes = () => gates.routeTable.filter((route) => route.access.kind === 'object');
const permissionOf = (route: RouteEntry): Permission =>
  'permission' in route.access ? route.access.permission : 'run.read';
const nameOf = (route: RouteEntry): string => `${route.method} ${route.url}`;

test('the table holds every route of the OpenAPI document', () => {
  const { paths } = world.app.swagger() as { paths: Record<string, Record<string, unknown>> };
  const documented = Object.entries(paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => `${method.toUpperCase()} ${path.replaceAll(/\{(\w+)\}/g, ':$1')}`),
  );
  const known = new Set(gates.routeTable.map(nameOf));
  expect(documented.filter((route) => !known.has(route))).toEqual([]);
  expect(objectRoutes().length).toBeGreaterThan(10);
});

test('a route without access stops the start', async () => {
  const app = createApi(world.controlPlane);
  expect(() => app.get('/open', async () => 'all')).toThrow('declares no access');
  await app.close();
});

test('only these routes ask nobody who they are', () => {
  const open = gates.routeTable.filter((route) => route.access.kind === 'public').map(nameOf);
  expect(
    open.filter(
      (route) => !/^(GET \/(healthz|readyz|livez)$|\w+ \/(api\/v1\/)?auth\/|GET \/(assets\/|sign-in|$))/.test(route),
    ),
  ).toEqual([]);
});

test.each(roles)('object routes: %s of the project', async (role) => {
  const wrong: string[] = [];
  for (const route of objectRoutes()) {
    const permission = permissionOf(route);
    const isProject = route.access.kind === 'object' && route.access.object === 'project';
    const who = { person: person(role) };
    const isOwn = role === 'member' && !isProject;
    for (const [what, objects, expected] of [
      ['of others', ours, may(role, permission, false) ? 'granted' : 'denied'],
      ['of the member', members, may(role, permission, isOwn) ? 'granted' : 'denied'],
      ['foreign', foreign, 'hidden'],
      ['nowhere', 'r-nothing', 'hidden'],
    ] as const) {
      const found = await enter(route, who, objects);
      if (found !== expected)
        wrong.push(`${nameOf(route)} (${permission}) ${what}: ${found}, not ${expected}`);
    }
  }
  expect(wrong).toEqual([]);
});

test('object routes: a stranger finds nothing, an admin of the installation everything', async () => {
  for (const route of objectRoutes()) {
    for (const objects of [ours, foreign, 'r-nothing']) {
      expect(await enter(route, { person: 'stranger@example.org' }, objects), nameOf(route)).toBe('hidden');
    }
    for (const objects of [ours, foreign]) {
      expect(await enter(route, { person: 'everywhere@example.org' }, objects), nameOf(route)).toBe(
        'granted',
      );
    }
  }
});

test('object routes: a token has what it was given and its owner has', async () => {
  for (const route of objectRoutes()) {
    const permission = permissionOf(route);
    const at = nameOf(route);
    expect(await enter(route, { token: permission }, ours), at).toBe('granted');
    const other = permission === 'usage.read' ? 'audit.read' : 'usage.read';
    expect(await enter(route, { token: other }, ours), at).toBe('denied');
    expect(await enter(route, { token: 'web only' }, ours), at).toBe('granted');
    expect(await enter(route, { token: 'web only' }, foreign), at).toBe('hidden');
    // The owner has no role on the project of the scope.
    for (const objects of [ours, foreign]) {
      expect(await enter(route, { token: 'other project' }, objects), at).toBe('hidden');
    }
    const expected = may('maintainer', permission, false) ? 'granted' : 'denied';
    expect(await enter(route, { token: 'all' }, ours), at).toBe(expected);
  }
});

test('routes of the installation take a role on it, not on a project', async () => {
  const wrong: string[] = [];
  for (const route of gates.routeTable) {
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
      const found = await enter(route, who, '');
      if (found !== expected)
        wrong.push(`${nameOf(route)} ${JSON.stringify(who)}: ${found}, not ${expected}`);
    }
  }
  expect(wrong).toEqual([]);
});

test('lists and new objects: refused to who has the permission nowhere', async () => {
  const wrong: string[] = [];
  for (const route of gates.routeTable) {
    if (route.access.kind !== 'list' && route.access.kind !== 'new') continue;
    const { kind, permission } = route.access;
    const other = permission === 'usage.read' ? 'audit.read' : 'usage.read';
    const asked: (readonly [Who, string])[] = [
      [{ token: permission }, 'granted'],
      [{ token: other }, 'denied'],
    ];
    if (kind === 'list') {
      for (const role of roles) {
        const expected = weakest[permission][0] === 'viewer' || may(role, permission, true);
        asked.push([{ person: person(role) }, expected ? 'granted' : 'denied']);
      }
    }
    for (const [who, expected] of asked) {
      const found = await enter(route, who, '');
      if (found !== expected)
        wrong.push(`${nameOf(route)} ${JSON.stringify(who)}: ${found}, not ${expected}`);
    }
  }
  expect(wrong).toEqual([]);
});

/** The whole way, handler included, over the real entrance. */
async function ask(method: string, url: string, who: Who, payload?: object) {
  const headers =
    'person' in who
      ? { 'x-test-person': who.person }
      : { authorization: `Bearer ${secrets.get(who.token) ?? ''}` };
  const options = { method: method as 'GET', url, headers, ...(payload === undefined ? {} : { payload }) };
  const answer = await world.app.inject(options);
  return { status: answer.statusCode, text: answer.body };
}

test('lists hold nothing foreign, whatever is asked of them', async () => {
  for (const route of world.app.routeTable) {
    if (route.access.kind !== 'list' || route.method !== 'GET') continue;
    const base = addressOf(route, '');
    const askers: Who[] = [
      { person: person('admin') },
      { person: 'stranger@example.org' },
      { token: 'web only' },
      { token: 'other project' },
    ];
    for (const who of askers) {
      for (const query of ['', `?project=${foreign.project}`, '?project=vault', '?project=/srv/vault.git']) {
        const { status, text } = await ask('GET', base + query, who);
        expect(status, `${base}${query}: ${text}`).toBeLessThan(500);
        for (const mark of foreignMarks)
          expect(text.replaceAll(query.slice(1), ''), base + query).not.toContain(mark);
      }
    }
  }
  // The asking itself works: to an admin of the installation the foreign run is there.
  expect((await ask('GET', '/api/v1/runs', { person: 'everywhere@example.org' })).text).toContain(
    foreign.run,
  );
});

test('a foreign object answers as one that is not there, to the letter', async () => {
  const missing = { task: 't-zzzzzzzzzzzzzzzz', run: 'r-zzzzzzzzzzzzzzzz' };
  const different: string[] = [];
  for (const route of world.app.routeTable) {
    const { access } = route;
    if (access.kind !== 'object' || !(realKinds as readonly string[]).includes(access.object)) continue;
    const there = foreign[access.object];
    const gone =
      access.object === 'task' ? missing.task : access.object === 'project' ? 'p-zzz' : missing.run;
    const bodies = await Promise.all(
      [there, gone].map(async (id) => {
        const payload =
          route.method === 'GET' ? undefined : route.url.endsWith('/messages') ? { text: 'hi' } : {};
        const { status, text } = await ask(
          route.method,
          addressOf(route, id),
          { person: person('admin') },
          payload,
        );
        if (status === 400) return 'not asked: the body is not valid';
        return `${status} ${text.replaceAll(id, 'ID').replaceAll(/req_[0-9a-f-]+/g, 'REQ')}`;
      }),
    );
    if (bodies[0] !== bodies[1]) different.push(`${nameOf(route)}: ${bodies.join(' ≠ ')}`);
    if (bodies[0]?.startsWith('404') === false && !bodies[0].startsWith('not asked')) {
      different.push(`${nameOf(route)}: ${bodies[0]}`);
    }
  }
  expect(different).toEqual([]);
});

test('neither a beginning of an id nor `latest` finds a foreign run, or makes an own one ambiguous', async () => {
  const stranger = { person: 'stranger@example.org' };
  const viewer = { person: person('viewer') };
  for (let length = 1; length <= foreign.run.length; length += 1) {
    const start = foreign.run.slice(0, length);
    if (!/^[A-Za-z0-9_-]+$/.test(start)) continue;
    const { status, text } = await ask('GET', `/api/v1/runs/${start}`, stranger);
    expect(status, start).toBe(404);
    expect(text.replaceAll(start, '')).not.toMatch(/AMBIGUOUS|r-[0-9a-z]{16}/);
    const own = await ask('GET', `/api/v1/runs/${start}`, viewer);
    expect(own.text).not.toContain(`"id":"${foreign.run}"`);
  }
  expect((await ask('GET', '/api/v1/runs/latest', stranger)).status).toBe(404);
  const latest = await ask('GET', '/api/v1/runs/latest', viewer);
  expect(latest.text).toContain(`"id":"${members.run}"`);
});

test('a task for a foreign repository is answered as one for a repository that is no project', async () => {
  const answers = await Promise.all(
    ['/srv/vault.git', '/srv/vacant.git'].map(async (repository) => {
      const { status, text } = await ask(
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
  const viewer = await ask(
    'POST',
    '/api/v1/tasks',
    { person: person('viewer') },
    { repository: '/srv/web.git', text: 'x' },
  );
  expect(viewer.status).toBe(403);
  const member = await ask(
    'POST',
    '/api/v1/tasks',
    { person: person('member') },
    { repository: '/srv/web.git', text: 'x' },
  );
  expect(member.status).toBe(201);
});
