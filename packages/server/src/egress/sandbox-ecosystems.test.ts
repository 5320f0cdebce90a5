import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { decide } from './decide.ts';
import { createEcosystems, ecosystemHosts } from './ecosystems.ts';
import { mavenUrls } from './maven-settings.ts';
import { createSandboxEcosystems, type AskSandbox } from './sandbox-ecosystems.ts';

const fetchText = () => Promise.resolve(null);
const root = mkdtempSync(join(tmpdir(), 'ecosystems-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));
const signal = AbortSignal.timeout(120_000);

const settings = `<settings>
  <!-- <mirror><url>https://old.example/</url></mirror> -->
  <proxies><proxy><host>proxy.example</host><url>https://proxy.example/</url></proxy></proxies>
  <mirrors>
    <mirror><id>m</id><url>
      https://mvn.corp.example:8443/repo/ </url><mirrorOf>*</mirrorOf></mirror>
    <mirror><id>blocker</id><url>http://0.0.0.0/</url><blocked>true</blocked></mirror>
  </mirrors>
  <profiles><profile><repositories>
    <repository><id>r</id><url>https://u:s3cret@more.example/x?a=1&amp;b=2</url></repository>
  </repositories><properties><url>https://property.example/</url></properties></profile></profiles>
</settings>`;

test('maven is known by the mirrors and repositories of its settings, and by nothing without them', async () => {
  expect(mavenUrls(settings)).toEqual([
    'https://mvn.corp.example:8443/repo/',
    'https://u:s3cret@more.example/x?a=1&b=2',
  ]);
  expect(mavenUrls('<settings/>')).toEqual([]);
  const files: Record<string, string> = { '/opt/maven/conf/settings.xml': settings };
  const of = async (known: Record<string, string>, version: string | null) => {
    const look = { read: async (path: string) => known[path] ?? null, list: async () => [] };
    const source = createEcosystems({ ask: async () => version, look, home: '/home/op', fetchText, env: {} });
    return (await source.facts('maven')).hosts();
  };
  expect(await of(files, 'Apache Maven 3.9\nMaven home: /opt/maven\nJava version: 21\n')).toEqual([
    { host: 'mvn.corp.example', port: 8443 },
    { host: 'more.example', port: 443 },
  ]);
  expect(await of(files, null)).toEqual([]);
  expect(
    await of({ '/home/op/.m2/settings.xml': '<mirror><url>https://own.example</url></mirror>' }, null),
  ).toEqual([{ host: 'own.example', port: 443 }]);
});

/** Commands of a machine with an operator's settings and, somewhere, a hostile repository with its own. */
function machine() {
  const home = join(root, 'home');
  const repository = join(root, 'repository');
  for (const directory of [home, join(home, '.m2'), join(repository, '.m2'), join(repository, '.mvn')]) {
    mkdirSync(directory, { recursive: true });
  }
  const bad = 'https://evil.example/';
  writeFileSync(join(home, '.npmrc'), 'registry=https://npm.corp.example/\n');
  writeFileSync(join(home, '.m2', 'settings.xml'), settings);
  writeFileSync(join(repository, '.npmrc'), `registry=${bad}\n`);
  writeFileSync(join(repository, 'pip.conf'), `[global]\nindex-url = ${bad}\n`);
  writeFileSync(join(repository, '.m2', 'settings.xml'), `<mirror><url>${bad}</url></mirror>`);
  writeFileSync(join(repository, 'settings.xml'), `<mirror><url>${bad}</url></mirror>`);
  writeFileSync(join(repository, '.mvn', 'settings.xml'), `<mirror><url>${bad}</url></mirror>`);
  const asked: string[] = [];
  const ask: AskSandbox = (argv) =>
    new Promise((resolve) => {
      asked.push(argv.join(' '));
      const env = { PATH: process.env['PATH'] ?? '', HOME: home };
      execFile(argv[0]!, argv.slice(1), { cwd: '/', env, timeout: 30_000 }, (error, out) =>
        resolve(error === null ? out : null),
      );
    });
  return { home, asked, ask };
}

test('the tools of an image answer before a repository is there; its own settings and later changes count for nothing', async () => {
  const { home, asked, ask } = machine();
  const cache = createSandboxEcosystems({ fetchText });
  const source = await cache.answers('sha256:1/p', ['npm', 'maven'], ask, { home, signal });
  const rules = [{ ecosystem: 'npm' as const }, { ecosystem: 'maven' as const }];
  const hosts = await ecosystemHosts(source, rules);
  const open = (host: string, port = 443) => decide({ rules }, hosts, { host, port }).allowed;
  expect([open('npm.corp.example'), open('mvn.corp.example', 8443), open('evil.example')]).toEqual([
    true,
    true,
    false,
  ]);
  expect(hosts.get('npm')).toEqual([{ host: 'npm.corp.example', port: 443, insideSandbox: true }]);
  const before = asked.length;
  // An agent writes settings of its own.
  writeFileSync(join(home, '.npmrc'), 'registry=https://evil.example/\n');
  const again = await cache.answers('sha256:1/p', ['npm', 'maven'], ask, { home, signal });
  expect(await ecosystemHosts(again, rules)).toEqual(hosts);
  expect(asked).toHaveLength(before);
  expect(await (await again.facts('pip')).hosts()).toEqual([]);
});

test('a sandbox that could not answer is asked again; an ecosystem that was not asked for opens nothing', async () => {
  const cache = createSandboxEcosystems({ fetchText });
  const where = { home: '/root', signal };
  const failing: AskSandbox = () => Promise.reject(new Error('the sandbox is gone'));
  await expect(cache.answers('a', ['go', 'npm'], failing, where)).rejects.toThrow('the sandbox is gone');
  const gone = AbortSignal.abort(new Error('ended'));
  const silent: AskSandbox = async () => null;
  await expect(cache.answers('a', ['npm'], silent, { ...where, signal: gone })).rejects.toThrow('ended');
  const answering: AskSandbox = async (argv) => (argv[0] === 'npm' ? 'https://npm.example/\n' : null);
  const source = await cache.answers('a', ['npm'], answering, where);
  expect(await (await source.facts('npm')).hosts()).toMatchObject([{ host: 'npm.example' }]);
  expect(await (await source.facts('go')).hosts()).toEqual([]);
});
