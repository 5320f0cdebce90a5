import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { FastifyInstance } from 'fastify';
import { openConfig, type OpenConfig } from '../config/open-config.ts';
import { configPlane } from '../config/plane.ts';
import { localPrincipal, type Principal } from '../domain/access.ts';
import type { ControlPlane } from '../domain/ports/control-plane.ts';
import { findProject } from '../store/runs/find-project.ts';
import { testDatabase } from '../testing/database.ts';
import { FakeControlPlane } from '../testing/fake-control-plane.ts';
import { createApi } from './create-api.ts';

const database = testDatabase();
let home: string;
let config: OpenConfig;
let app: FastifyInstance;
const principals = new Map<string, Principal>();

const file = [
  'version: 1',
  'egress: { allow: [{ host: "*.example.org" }], deny: [bad.example.org] }',
  'limits: { run: { costUsd: 3 } }',
  'models: { providers: { a: { kind: anthropic, apiKey: "${env:SOME_API_KEY}" } } }',
  'projects:',
  '  - { name: lib, repository: /srv/lib, limits: { costUsd: 1 } }',
].join('\n');

beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'berth-config-'));
  await writeFile(join(home, 'berth.yaml'), file);
  const { db } = database;
  config = await openConfig({ db, home, env: {} });
  await config.change({
    section: 'projects',
    name: 'app',
    value: { repository: '/srv/app', priority: 4, gates: { at: ['start'], selfApproval: false } },
    expected: 'new',
    by: 'ann',
  });
  const app1 = (await findProject(db, 'app'))?.id ?? '';
  const who = (id: string, more: Partial<Principal>): void =>
    void principals.set(id, { ...localPrincipal(id), ...more });
  who('admin', { globalRole: 'admin' });
  who('maintainer', { globalRole: 'maintainer' });
  who('viewer', { globalRole: 'viewer' });
  who('app-maintainer', { globalRole: null, projectRoles: { [app1]: 'maintainer' } });
  who('stranger', { globalRole: null });
  // Only looking projects up is real here.
  const plane: ControlPlane = new FakeControlPlane({ pace: 0, worker: false });
  const locate = plane.locate.bind(plane);
  plane.locate = async (kind, text, visible) => {
    const project = kind === 'project' ? await findProject(db, text, visible) : null;
    if (project === null) return locate(kind, text, visible);
    return { id: project.id, projectId: project.id, ownerId: null };
  };
  app = createApi(plane, {
    config: configPlane({ db, config }),
    authenticate: async (request) => principals.get(String(request.headers['x-who'])) ?? localPrincipal('no'),
  });
});

afterAll(async () => {
  await app.close();
  await config.close();
  await rm(home, { recursive: true, force: true });
});

async function call(
  who: string,
  method: 'GET' | 'PUT' | 'POST' | 'DELETE',
  url: string,
  body?: unknown,
  headers: Record<string, string> = {},
) {
  const answer = await app.inject({
    method,
    url: `/api/v1${url}`,
    headers: { 'x-who': who, ...headers },
    ...(body === undefined ? {} : { payload: body as object }),
  });
  const json = (): Record<string, unknown> => answer.json();
  return { status: answer.statusCode, etag: String(answer.headers.etag), text: answer.body, json };
}
const fresh = { 'if-none-match': '*' };

test('the configuration is shown with its sources, and secrets as references', async () => {
  const { status, json, text } = await call('maintainer', 'GET', '/config');
  expect(status).toBe(200);
  expect(json()).toMatchObject({
    schema: 'berth.config/v1',
    sources: { 'projects/lib': 'file', 'projects/app': 'database', gates: 'default' },
    file: { state: 'counts' },
    problems: [],
  });
  expect(text).toContain('${env:SOME_API_KEY}');
});

test.each([
  ['viewer', 'GET', '/config', 403],
  ['viewer', 'GET', '/config/export', 403],
  ['app-maintainer', 'GET', '/config', 403],
  ['app-maintainer', 'GET', '/config/projects/lib', 403],
  ['maintainer', 'PUT', '/config/egress', 403],
  ['app-maintainer', 'PUT', '/config/projects/app', 403],
  ['app-maintainer', 'PUT', '/projects/lib/settings', 404],
  ['viewer', 'PUT', '/projects/app/settings', 403],
  ['stranger', 'GET', '/projects/app', 404],
  ['viewer', 'GET', '/config/schema.json', 200],
] as const)('%s: %s %s answers %i', async (who, method, url, status) => {
  expect((await call(who, method, url, method === 'PUT' ? {} : undefined, fresh)).status).toBe(status);
});

test.each([
  ['a NUL in a name', 'PUT', '/config/people/a%00@b', {}],
  ['a NUL in a value', 'PUT', '/config/projects/nul', { repository: '/srv/nul', description: 'a\0b' }],
  ['half a character', 'PUT', '/config/projects/half', { repository: '/srv/half', description: '\uD800' }],
  ['a deep value', 'PUT', '/config/gates', JSON.parse(`${'{"a":'.repeat(500)}1${'}'.repeat(500)}`)],
  ['a NUL in a project', 'GET', '/projects/a%00b', undefined],
  ['a NUL in a cursor', 'GET', '/projects?cursor=%00', undefined],
  ['a section of every object', 'GET', '/config/constructor', undefined],
  ['a name of every object', 'GET', '/config/projects/__proto__', undefined],
] as const)('%s is answered with what is wrong', async (_, method, url, body) => {
  const { status } = await call('admin', method, url, body, fresh);
  expect([400, 404, 422]).toContain(status);
});

test('what comes from the file is read-only and says from which', async () => {
  const { status, json } = await call(
    'admin',
    'PUT',
    '/config/projects/lib',
    { repository: '/srv/lib' },
    fresh,
  );
  expect(status).toBe(409);
  expect(json()).toMatchObject({ code: 'CONFIG_READ_ONLY', details: { file: join(home, 'berth.yaml') } });
  expect((await call('admin', 'PUT', '/config/signIn', {}, fresh)).json()['code']).toBe('CONFIG_READ_ONLY');
  expect((await call('admin', 'GET', '/config/projects/lib')).json()).toMatchObject({ editable: false });
});

test('an object is made, changed by its ETag, and deleted', async () => {
  const url = '/config/sandboxes/big';
  expect((await call('admin', 'PUT', url, { memoryMiB: 512 })).status).toBe(428);
  const made = await call('admin', 'PUT', url, { memoryMiB: 512 }, fresh);
  expect(made.status).toBe(200);
  expect((await call('admin', 'PUT', url, { memoryMiB: 1 }, { 'if-match': made.etag })).json()).toMatchObject(
    {
      status: 422,
      code: 'CONFIG_INVALID',
      details: { problems: [{ path: 'memoryMiB' }] },
    },
  );
  const changed = await call('admin', 'PUT', url, { memoryMiB: 600 }, { 'if-match': made.etag });
  expect(changed.status).toBe(200);
  expect((await call('admin', 'PUT', url, {}, { 'if-match': made.etag })).status).toBe(412);
  const read = await call('admin', 'GET', url);
  expect([read.etag, read.json()['value']]).toEqual([
    changed.etag,
    expect.objectContaining({ memoryMiB: 600 }),
  ]);
  expect((await call('admin', 'DELETE', url, undefined, { 'if-match': changed.etag })).status).toBe(200);
  expect((await call('admin', 'DELETE', url, undefined, { 'if-match': changed.etag })).status).toBe(404);
  expect((await call('admin', 'GET', url)).status).toBe(404);
  expect((await call('admin', 'GET', '/config/nonsense/x')).status).toBe(404);
});

test('a project shows each setting with its source and key, and its row stays small', async () => {
  const { json } = await call('viewer', 'GET', '/projects/lib');
  const settings = json()['settings'] as { name: string }[];
  const setting = (name: string) => settings.find((one) => one.name === name);
  expect(setting('limits.costUsd')).toEqual({
    name: 'limits.costUsd',
    value: 1,
    source: 'file',
    key: 'projects.lib.limits.costUsd',
  });
  expect(setting('egress')).toMatchObject({ source: 'file', key: 'egress.allow' });
  expect(setting('priority')).toMatchObject({ value: 0, source: 'default', key: 'projects.lib.priority' });
  const list = (await call('viewer', 'GET', '/projects')).json() as { projects: { name: string }[] };
  expect(list.projects.map((project) => project.name)).toEqual(['app', 'lib']);
  for (const row of list.projects) expect(JSON.stringify(row).length).toBeLessThan(1_024);
  const own = (await call('app-maintainer', 'GET', '/projects')).json() as typeof list;
  expect(own.projects.map((project) => project.name)).toEqual(['app']);
  const first = (await call('viewer', 'GET', '/projects?limit=1')).json();
  expect(
    (await call('viewer', 'GET', `/projects?limit=1&cursor=${String(first['next'])}`)).json(),
  ).toMatchObject({
    projects: [{ name: 'lib' }],
  });
});

const gates = { at: ['start'], selfApproval: false };

test.each([
  ['another repository', { repository: '/srv/lib' }],
  ['its budgets', { budgets: [{ per: 'day', costUsd: 1_000 }] }],
  ['its cap', { cap: 500 }],
  ['its priority', { priority: 100 }],
  ['its sandbox profile', { sandbox: 'big' }],
  ['a host beyond the ceiling', { egress: [{ host: 'evil.example.com' }] }],
  ['a port beyond the ceiling', { egress: [{ host: 'a.example.org', ports: [22] }] }],
  ['an ecosystem beyond the ceiling', { egress: [{ ecosystem: 'npm' }] }],
  ['weaker gates', { gates: { at: [], selfApproval: false } }],
  ['gates one can open oneself', { gates: { at: ['start'], selfApproval: true } }],
  ['no gates of its own', { gates: undefined }],
])('a maintainer of a project cannot give it %s', async (_, change) => {
  const before = await call('app-maintainer', 'GET', '/projects/app');
  const value = { repository: '/srv/app', priority: 4, gates, ...change };
  const answer = await call('app-maintainer', 'PUT', '/projects/app/settings', value, {
    'if-match': before.etag,
  });
  expect([answer.status, answer.json()['code']]).toEqual([403, 'FORBIDDEN']);
  expect((await call('app-maintainer', 'GET', '/projects/app')).etag).toBe(before.etag);
});

test('a name in the body of settings is refused', async () => {
  const before = await call('app-maintainer', 'GET', '/projects/app');
  const value = { name: 'lib', repository: '/srv/app', priority: 4, gates };
  const answer = await call('app-maintainer', 'PUT', '/projects/app/settings', value, {
    'if-match': before.etag,
  });
  expect([answer.status, answer.json()['code']]).toEqual([422, 'CONFIG_INVALID']);
});

test('a maintainer changes what is theirs, within the ceilings', async () => {
  const { etag } = await call('app-maintainer', 'GET', '/projects/app');
  const value = {
    priority: 4,
    description: 'ours',
    limits: { costUsd: 2 },
    egress: [{ host: 'a.example.org' }],
    gates: { at: ['start', 'proposal'], selfApproval: false },
  };
  const answer = await call('app-maintainer', 'PUT', '/projects/app/settings', value, { 'if-match': etag });
  expect([answer.status, answer.text]).toEqual([200, expect.any(String)]);
  expect(config.current().config.projects.find((project) => project.name === 'app')).toMatchObject({
    repository: '/srv/app',
    description: 'ours',
    priority: 4,
  });
  const stolen = await call(
    'app-maintainer',
    'PUT',
    '/projects/app/settings',
    { ...value, description: '${env:PATH}' },
    {
      'if-match': answer.etag,
    },
  );
  expect(stolen.json()['code']).toBe('CONFIG_INVALID');
});

test('a text is checked without being imported, and tells nothing of the server', async () => {
  const text =
    'version: 1\nlimitz: 1\nprojects:\n  - { name: a, repository: "${env:HOME}", priority: "${env:HOME}" }\n';
  const { json, text: answer } = await call('maintainer', 'POST', '/config/check', { text });
  expect(json()).toMatchObject({
    ok: false,
    problems: [
      { line: 2, column: 1 },
      { line: 4, path: 'projects[0].priority' },
    ],
  });
  expect(answer).not.toContain(process.env['HOME'] ?? '/root');
});

test('the export read as a file is the same configuration', async () => {
  const { text } = await call('maintainer', 'GET', '/config/export');
  const other = await mkdtemp(join(tmpdir(), 'berth-config-'));
  await writeFile(join(other, 'berth.yaml'), text);
  const { parseConfig } = await import('../config/parse/index.ts');
  const parsed = parseConfig(text, { env: {} });
  expect(parsed.ok && parsed.config).toEqual(config.current().config);
  await rm(other, { recursive: true });
});

test('revisions are listed newest first', async () => {
  const { json } = await call('maintainer', 'GET', '/config/revisions?limit=2');
  const { revisions, next } = json() as { revisions: { number: number; by: string }[]; next: number };
  expect(revisions[0]?.number).toBe(config.current().number);
  expect(next).toBe(revisions[1]?.number);
});
