import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { configSchema } from './config/index.ts';
import { forgeOfRepository, pathOnForge } from './forge-of-project.ts';

const hub = { url: 'https://github.com' };

test.each([
  ['https://github.com/acme/web', 'acme/web'],
  ['https://github.com/acme/web.git', 'acme/web'],
  ['https://GitHub.com:443/acme/web/', 'acme/web'],
  ['git@github.com:acme/web.git', 'acme/web'],
  ['ssh://git@github.com/acme/web', 'acme/web'],
  ['https://github.com.example.org/acme/web', null],
  ['https://github.com@example.org/acme/web', null],
  ['https://example.org/github.com/acme/web', null],
  ['http://github.com/acme/web', null],
  ['https://github.com:8443/acme/web', null],
  ['ssh://git@github.com:2222/acme/web', null],
  ['git@github.com.example.org:acme/web', null],
  ['/srv/github.com/acme/web', null],
  ['file:///srv/web', null],
  ['../web', null],
])('%s is at %s', (repository, path) => {
  expect(pathOnForge(hub, repository)).toBe(path);
});

test('a path of the forge counts by whole segments', () => {
  const below = { url: 'https://code.example.com/git/' };
  expect(pathOnForge(below, 'https://code.example.com/git/acme/web')).toBe('acme/web');
  expect(pathOnForge(below, 'https://code.example.com/gitlab/acme/web')).toBeNull();
  expect(pathOnForge(below, 'https://code.example.com/git/../acme/web')).toBeNull();
});

test('no address of another host is taken for one of the forge', () => {
  fc.assert(
    fc.property(fc.webUrl(), (url) => {
      const { host } = new URL(url);
      if (host !== 'github.com') expect(pathOnForge(hub, url)).toBeNull();
    }),
  );
});

test('the forge that a project names, else the one it is on, else the local one', () => {
  const token = '${env:T}';
  const config = configSchema.parse({
    version: 1,
    forges: [
      { name: 'all', kind: 'github', url: 'https://code.example.com', token },
      { name: 'below', kind: 'github', url: 'https://code.example.com/git', token },
    ],
    projects: [
      { name: 'a', repository: 'https://code.example.com/git/x/y' },
      { name: 'b', repository: 'https://code.example.com/git/x/z', forge: 'all' },
      { name: 'c', repository: 'https://elsewhere.example.com/x/z', forge: 'all' },
      { name: 'd', repository: 'https://code.example.com/x/z', forge: 'gone' },
      { name: 'e', repository: '/srv/repository' },
    ],
  });
  const found = config.projects.map(({ repository }) => forgeOfRepository(config, repository));
  expect(found.map((one) => (one.kind === 'forge' ? `${one.forge.name} ${one.path}` : one.kind))).toEqual([
    'below x/y',
    'all git/x/z',
    'unknown',
    'unknown',
    'local',
  ]);
});
