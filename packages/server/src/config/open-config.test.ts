import { mkdir, mkdtemp, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test, vi } from 'vitest';
import { listRevisions } from '../store/config/revisions.ts';
import { testDatabase } from '../testing/database.ts';
import { openConfig, type OpenConfig } from './open-config.ts';

const database = testDatabase();
const opened: OpenConfig[] = [];
const homes: string[] = [];

afterEach(async () => {
  for (const config of opened.splice(0)) await config.close();
  for (const home of homes.splice(0)) await rm(home, { recursive: true, force: true });
  const { db } = database;
  await db.sql.deleteFrom('config_revisions').execute();
  await db.sql.deleteFrom('config_file').execute();
  await db.sql.deleteFrom('config_replicas').execute();
  await db.sql.deleteFrom('config_objects').execute();
  await db.sql.deleteFrom('projects').execute();
});

async function makeHome(text?: string): Promise<string> {
  const home = await mkdtemp(join(tmpdir(), 'berth-config-'));
  homes.push(home);
  if (text !== undefined) await writeFile(join(home, 'berth.yaml'), text);
  return home;
}

async function open(home: string, hostName = 'one', more: Partial<Parameters<typeof openConfig>[0]> = {}) {
  const config = await openConfig({ db: database.db, home, env: {}, hostName, pollMs: 200, ...more });
  opened.push(config);
  return config;
}

const file = (costUsd: number, more = ''): string =>
  `version: 1\nlimits: { run: { costUsd: ${costUsd} } }\n${more}`;
const cost = (config: OpenConfig): number | undefined => config.current().config.limits.run.costUsd;
const until = async (hold: () => void): Promise<void> => vi.waitFor(hold, { timeout: 120_000, interval: 25 });

test('without a file nothing is configured', async () => {
  const config = await open(await makeHome());
  expect(config.current().number).toBe(0);
  expect(config.status()).toMatchObject({ file: { state: 'none' }, problems: [] });
});

test('a changed file counts without a restart, and each change is one revision', async () => {
  const home = await makeHome(file(3));
  const config = await open(home);
  expect([config.current().number, cost(config)]).toEqual([1, 3]);
  const heard: number[] = [];
  config.onChange((revision) => heard.push(revision.number));
  await writeFile(join(home, 'berth.yaml'), file(4));
  await until(() => expect(cost(config)).toBe(4));
  // A comment changes the file and nothing that counts.
  await writeFile(join(home, 'berth.yaml'), `# said\n${file(4)}`);
  await config.refresh();
  expect(heard).toEqual([2]);
  expect(Object.isFrozen(config.current().config.limits.run)).toBe(true);
  expect((await config.revision(1)).config.limits.run.costUsd).toBe(3);
  await expect(config.revision(9)).rejects.toMatchObject({ code: 'CONFIG_REVISION_GONE' });
});

test('a link that is swapped beside the file, as a mounted ConfigMap does it, is noticed', async () => {
  const home = await makeHome();
  for (const [name, usd] of [
    ['v1', 3],
    ['v2', 5],
  ] as const) {
    await mkdir(join(home, name));
    await writeFile(join(home, name, 'berth.yaml'), file(usd));
  }
  await symlink('v1', join(home, '..data'));
  await symlink('..data/berth.yaml', join(home, 'berth.yaml'));
  const config = await open(home, 'one', { pollMs: 600_000 });
  expect(cost(config)).toBe(3);
  await symlink('v2', join(home, '..new'));
  await rename(join(home, '..new'), join(home, '..data'));
  await until(() => expect(cost(config)).toBe(5));
});

test('an invalid file leaves what counted before, says so, and says when it is mended', async () => {
  const home = await makeHome(file(3));
  const said: string[] = [];
  const config = await open(home, 'one', { onProblem: (sentence) => said.push(sentence) });
  await writeFile(join(home, 'berth.yaml'), 'version: 1\nlimitz: {}\n');
  await until(() => expect(config.status().file.state).toBe('invalid'));
  expect(cost(config)).toBe(3);
  expect(config.status().problems).toEqual([
    expect.objectContaining({
      line: 2,
      column: 1,
      sentence: expect.stringContaining('did you mean limits?'),
    }),
  ]);
  await writeFile(join(home, 'berth.yaml'), file(6));
  await until(() => expect(cost(config)).toBe(6));
  expect(config.status().problems).toEqual([]);
  expect(said[0]).toContain('berth.yaml:2:1: unknown key');
  expect(said.at(-1)).toBe('The configuration file is valid again.');
});

test('a server does not start with a first file that is not valid, nor with one that is named and not there', async () => {
  await expect(open(await makeHome('version: 2\n'))).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
  const home = await makeHome();
  await expect(open(home, 'one', { env: { BERTH_CONFIG: join(home, 'no.yaml') } })).rejects.toMatchObject({
    code: 'CONFIG_UNREADABLE',
  });
});

test('a file that is taken away takes its layer with it', async () => {
  const home = await makeHome(file(3));
  const config = await open(home);
  await rm(join(home, 'berth.yaml'));
  await until(() => expect(config.status().file.state).toBe('none'));
  await until(() => expect(cost(config)).toBeUndefined());
});

test('replicas with the same file make one revision', async () => {
  const homes = await Promise.all(Array.from({ length: 6 }, () => makeHome(file(3))));
  const others = await Promise.all(homes.map((home, at) => open(home, `host-${at}`)));
  for (const config of others) expect(config.current().number).toBe(1);
  await Promise.all(homes.map((home) => writeFile(join(home, 'berth.yaml'), file(4))));
  for (const config of others)
    await until(() => expect([config.current().number, cost(config)]).toEqual([2, 4]));
  await Promise.all(others.map((config) => config.refresh()));
  expect(await listRevisions(database.db.sql, { limit: 10 })).toHaveLength(2);
});

test('in a rolling update the newer file wins, an old replica that restarts says that it differs, and the last to live have the word', async () => {
  const [oldHome, newHome] = [await makeHome(file(3)), await makeHome(file(4))];
  const old = await open(oldHome, 'old', { pollMs: 600_000 });
  const fresh = await open(newHome, 'new', { pollMs: 600_000 });
  await until(() => expect(cost(old)).toBe(4));
  await old.refresh();
  expect(old.status().file.state).toBe('differs');
  expect(old.status().warnings[0]).toContain(
    'differs from the configuration that another replica imported later',
  );
  await old.close();
  const again = await open(oldHome, 'old', { pollMs: 600_000 });
  expect([cost(again), again.status().file.state]).toEqual([4, 'differs']);
  // Rolled back: whoever held the newer file is gone.
  await fresh.close();
  await again.refresh();
  expect([cost(again), again.status().file.state]).toEqual([3, 'counts']);
});

test('objects of the API count beside those of the file, which hide those of their name', async () => {
  const home = await makeHome(file(3, 'projects: [{ name: lib, repository: /srv/lib }]\n'));
  const config = await open(home);
  const put = (name: string, value: Record<string, unknown>, expected = 'new') =>
    config.change({ section: 'projects', name, value, expected, by: 'ann' });
  const made = await put('app', { repository: '/srv/app' });
  expect(config.current()).toMatchObject({
    number: 2,
    sources: { 'projects/lib': 'file', 'projects/app': 'database', limits: 'file', models: 'default' },
  });
  await expect(put('lib', { repository: '/srv/lib' })).rejects.toMatchObject({ code: 'CONFIG_READ_ONLY' });
  await expect(put('other', { repository: '/srv/lib' })).rejects.toMatchObject({ code: 'CONFIG_READ_ONLY' });
  await expect(put('app', { repository: '/srv/app' })).rejects.toMatchObject({ code: 'CONFIG_CHANGED' });
  await expect(put('new', { repository: '/srv/app' })).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
  await expect(put('bad', { repository: '/srv/bad', prio: 3 })).rejects.toMatchObject({
    code: 'CONFIG_INVALID',
    details: { problems: [expect.objectContaining({ path: 'prio' })] },
  });
  await expect(put('env', { repository: '/srv/env', description: '${env:PATH}' })).rejects.toMatchObject({
    code: 'CONFIG_INVALID',
  });
  await put('app', { repository: '/srv/app', priority: 5 }, made.version ?? '');
  await writeFile(join(home, 'berth.yaml'), file(3, 'projects: [{ name: app, repository: /srv/app }]\n'));
  await until(() => expect(config.current().sources['projects/app']).toBe('file'));
  expect(config.current().config.projects.map((project) => project.name)).toEqual(['app']);
  expect((await config.objects())[0]?.hidden).toBe('the file has an object of this name');
  expect(config.status().warnings[0]).toContain('projects/app made over the API does not count');
});

test('a key over the API can only be one that is meant for models', async () => {
  const config = await open(await makeHome());
  const put = (apiKey: string) =>
    config.change({
      section: 'models',
      name: '',
      value: { providers: { x: { kind: 'openai', baseUrl: 'https://far.example.org', apiKey } } },
      expected: 'new',
      by: 'ann',
    });
  for (const taken of ['${env:DATABASE_URL}', '${file:/etc/shadow}', '${env:BERTH_TOKEN}']) {
    await expect(put(taken)).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
  }
  await expect(put('${env:OPENAI_API_KEY}')).resolves.toMatchObject({ revision: 1 });
});

test('what is in use is not deleted, and of two changes of one version the second is refused', async () => {
  const config = await open(await makeHome());
  const big = await config.change({
    section: 'sandboxes',
    name: 'big',
    value: {},
    expected: 'new',
    by: 'ann',
  });
  const project = { repository: '/srv/lib', sandbox: 'big' };
  await config.change({ section: 'projects', name: 'lib', value: project, expected: 'new', by: 'ann' });
  await expect(
    config.change({ section: 'sandboxes', name: 'big', value: null, expected: big.version ?? '', by: 'ann' }),
  ).rejects.toMatchObject({ code: 'CONFIG_NAME_TAKEN' });
  const twice = await Promise.allSettled(
    [512, 1_024].map((memoryMiB) =>
      config.change({
        section: 'sandboxes',
        name: 'big',
        value: { memoryMiB },
        expected: big.version ?? '',
        by: 'b',
      }),
    ),
  );
  expect(twice.map((one) => one.status).sort()).toEqual(['fulfilled', 'rejected']);
});

test('projects get rows with their names, whoever had a name gives it up, and one that vanished keeps its row', async () => {
  const { db } = database;
  await db.sql
    .insertInto('projects')
    .values({ id: 'p-00000001', name: 'lib', repository: '/elsewhere/lib' })
    .execute();
  const home = await makeHome(
    file(3, 'projects: [{ name: lib, repository: /srv/lib }, { name: app, repository: /srv/app }]\n'),
  );
  const config = await open(home);
  const rows = () =>
    db.sql
      .selectFrom('projects')
      .select(['name', 'repository', 'configured'])
      .orderBy('repository')
      .execute();
  expect(await rows()).toEqual([
    { name: 'lib-000001', repository: '/elsewhere/lib', configured: false },
    { name: 'app', repository: '/srv/app', configured: true },
    { name: 'lib', repository: '/srv/lib', configured: true },
  ]);
  // Names that are exchanged.
  await writeFile(
    join(home, 'berth.yaml'),
    file(3, 'projects: [{ name: app, repository: /srv/lib }, { name: lib, repository: /srv/app }]\n'),
  );
  await until(() => expect(config.current().number).toBe(2));
  expect((await rows()).slice(1)).toEqual([
    { name: 'lib', repository: '/srv/app', configured: true },
    { name: 'app', repository: '/srv/lib', configured: true },
  ]);
  await writeFile(join(home, 'berth.yaml'), file(3));
  await until(() => expect(config.current().number).toBe(3));
  expect((await rows()).map((row) => row.configured)).toEqual([false, false, false]);
});

test('other replicas hear of a change made over the API', async () => {
  const [one, other] = [await open(await makeHome(), 'a'), await open(await makeHome(), 'b')];
  await one.change({
    section: 'egress',
    name: '',
    value: { deny: ['bad.example.org'] },
    expected: 'new',
    by: 'ann',
  });
  await until(() => expect(other.current().config.egress.deny).toEqual(['bad.example.org']));
  expect(other.current()).toEqual(one.current());
});
