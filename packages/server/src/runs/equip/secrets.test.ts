import { expect, test } from 'vitest';
import { configSchema, type ConfigRevision } from '../../domain/config/index.ts';
import type { RunSecrets } from '../../sandboxes/sandbox-slot.ts';
import { changingConfig } from '../../testing/changing-config.ts';
import { localSources, secretReader } from '../../secrets/read-secret.ts';
import { placeholderOf, runSecrets } from './secrets.ts';
import { settingsOfRepository } from './settings.ts';

const repository = 'https://git.example.org/web';
const signal = new AbortController().signal;

interface World {
  readonly env: Record<string, string>;
  readonly learned: { name: string; value: string }[];
  readonly config: ReturnType<typeof changingConfig>;
  readonly configure: (project: object, listed?: readonly string[]) => void;
  readonly open: (runId?: string) => Promise<RunSecrets>;
}

const credential = {
  name: 'github',
  secret: 'github',
  host: 'api.example.org',
  paths: ['/repos'],
  placement: { in: 'header', name: 'authorization', prefix: 'Bearer ' },
  env: 'GITHUB_TOKEN',
};

function world(project: object): World {
  const env: Record<string, string> = { GH: 'value-of-github', NPM: 'value-of-npm' };
  const learned: World['learned'] = [];
  let number = 0;
  const revision = (own: object, listed: readonly string[]): ConfigRevision => ({
    number: (number += 1),
    sources: {},
    config: configSchema.parse({
      version: 1,
      secrets: [
        { name: 'github', from: '${env:GH}', projects: listed },
        { name: 'npm', from: '${env:NPM}', projects: listed },
      ],
      projects: [{ name: 'web', repository, ...own }],
    }),
  });
  const config = changingConfig(revision(project, ['web']));
  const pinned = settingsOfRepository(config.current(), repository);
  const read = secretReader(() => localSources(env));
  return {
    env,
    learned,
    config,
    configure: (own, listed = ['web']) => config.set(revision(own, listed)),
    open: (runId = 'r-1') =>
      runSecrets({
        runId,
        repository,
        pinned,
        config,
        installation: {
          env,
          read,
          learn: (secret) => void learned.push(secret),
          placeholderKey: async () => 'key-of-the-installation',
        },
      }),
  };
}

test('a credential has a placeholder of its run inside, and its value outside, read at each use', async () => {
  const { env, open } = world({ credentials: [credential] });
  const { credentials, given } = await open();
  const [one] = credentials.list();
  expect(one).toMatchObject({ name: 'github', host: 'api.example.org', port: 443, paths: ['/repos'] });
  expect(one?.placeholder).toMatch(/^berthplaceholder[0-9a-f]{40}$/);
  expect(await given(signal)).toEqual({
    env: { GITHUB_TOKEN: one?.placeholder },
    exposed: [],
    brokered: [{ name: 'github', host: 'api.example.org', env: 'GITHUB_TOKEN' }],
  });
  expect(await credentials.value('github', signal)).toBe('value-of-github');
  env['GH'] = 'value-after-rotation';
  expect(await credentials.value('github', signal)).toBe('value-after-rotation');
});

test('the placeholder is the same for the next owner of the run, and another for every other run', async () => {
  const { open } = world({ credentials: [credential] });
  const of = async (runId: string): Promise<string> =>
    (await open(runId)).credentials.list()[0]?.placeholder ?? '';
  expect(await of('r-1')).toBe(await of('r-1'));
  expect(await of('r-2')).not.toBe(await of('r-1'));
  expect(placeholderOf('key', 'r-1', 'a')).not.toBe(placeholderOf('key', 'r-1', 'b'));
  expect(placeholderOf('key', 'r-1', 'a')).not.toBe(placeholderOf('other', 'r-1', 'a'));
});

test('what an admin takes back is gone with the next use; what is added is for later runs', async () => {
  const { configure, open } = world({
    credentials: [credential],
    forwardEnv: [{ name: 'T', secret: 'npm' }],
  });
  const { credentials, given } = await open();
  expect((await given(signal)).exposed).toEqual(['T']);
  configure({ credentials: [credential], forwardEnv: [{ name: 'T', secret: 'npm' }] }, ['other']);
  expect(credentials.list()).toEqual([]);
  expect(await given(signal)).toEqual({ env: {}, exposed: [], brokered: [] });
  await expect(credentials.value('github', signal)).rejects.toMatchObject({ code: 'SECRET_NOT_ALLOWED' });
  // The same name for another host is another credential: the placeholder is not valid there.
  configure({ credentials: [{ ...credential, host: 'evil.example.org' }] });
  expect(credentials.list()).toEqual([]);
  configure({
    credentials: [credential, { ...credential, name: 'second', host: 'other.example.org', env: 'O' }],
    forwardEnv: [{ name: 'ADDED', secret: 'npm' }],
  });
  expect(credentials.list().map(({ name }) => name)).toEqual(['github']);
  expect((await given(signal)).exposed).toEqual([]);
});

test('forwarded variables are read again for each sandbox; one that is missing stops it', async () => {
  const { env, open } = world({ forwardEnv: [{ name: 'NPM_TOKEN', secret: 'npm' }] });
  const { given } = await open();
  expect(await given(signal)).toEqual({
    env: { NPM_TOKEN: 'value-of-npm' },
    exposed: ['NPM_TOKEN'],
    brokered: [],
  });
  env['NPM'] = 'after-rotation';
  expect((await given(signal)).env).toEqual({ NPM_TOKEN: 'after-rotation' });
  delete env['NPM'];
  await expect(given(signal)).rejects.toMatchObject({ code: 'SECRET_MISSING' });
});

test('SANDBOX_ENV_ variables reach only projects that allow it, without the prefix, below what is configured', async () => {
  const prefixed = {
    SANDBOX_ENV_REGION: 'eu-central-1',
    SANDBOX_ENV_T: 'of-the-prefix',
    SANDBOX_ENV_EMPTY: '',
  };
  const without = world({});
  Object.assign(without.env, prefixed);
  expect((await (await without.open()).given(signal)).env).toEqual({});
  const { env, learned, open, configure } = world({
    sandboxEnv: true,
    forwardEnv: [{ name: 'T', secret: 'npm' }],
  });
  Object.assign(env, prefixed);
  const { given } = await open();
  expect(await given(signal)).toEqual({
    env: { REGION: 'eu-central-1', T: 'value-of-npm' },
    exposed: ['REGION', 'T'],
    brokered: [],
  });
  expect(learned).toContainEqual({ name: 'REGION', value: 'eu-central-1' });
  configure({ sandboxEnv: false });
  expect((await given(signal)).env).toEqual({});
});

test.each([
  [{ SANDBOX_ENV_PATH: '/evil' }, 'PATH'],
  [{ SANDBOX_ENV_LD_PRELOAD: '/evil.so' }, 'LD_PRELOAD'],
  [{ SANDBOX_ENV_https_proxy: 'http://evil' }, 'https_proxy'],
  [{ 'SANDBOX_ENV_A B': 'x' }, 'A B'],
  [{ SANDBOX_ENV_: 'x' }, ''],
  [{ SANDBOX_ENV_HUGE: 'x'.repeat(70_000) }, '70'],
] as const)('a variable of the worker that sandboxes cannot have stops them: %o', async (added, name) => {
  const { env, open } = world({ sandboxEnv: true });
  Object.assign(env, added);
  const given = (await open()).given(signal);
  await expect(given).rejects.toMatchObject({ code: 'SANDBOX_ENV_REFUSED' });
  await expect(given).rejects.toThrow(name);
});
