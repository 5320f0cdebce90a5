import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, rename, rm, symlink, unlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { secretReferenceSchema } from '../domain/config/index.ts';
import { secretSourceContract } from '../testing/secret-source-contract.ts';
import { kubernetesSource } from './kubernetes-source.ts';
import { environmentSource, fileSource } from './local-sources.ts';
import { localSources, secretReader } from './read-secret.ts';

let directory = '';
let made = 0;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'berth-secret-'));
});
afterAll(() => rm(directory, { recursive: true, force: true }));
const signal = new AbortController().signal;

async function fresh(): Promise<string> {
  const path = join(directory, String((made += 1)));
  await mkdir(path);
  return path;
}

/** A mount as the kubelet makes it: versions in directories of their own, `..data` swapped by a rename. */
async function mountedSecret(mount: string, keys: Readonly<Record<string, string>>): Promise<void> {
  const version = `..2026_${(made += 1)}`;
  await mkdir(join(mount, version));
  for (const [key, value] of Object.entries(keys)) await writeFile(join(mount, version, key), value);
  await symlink(version, join(mount, '..data_tmp'));
  await rename(join(mount, '..data_tmp'), join(mount, '..data'));
  for (const key of Object.keys(keys)) {
    await symlink(join('..data', key), join(mount, key)).catch(() => undefined);
  }
}

secretSourceContract('environment', async () => {
  const environment: Record<string, string> = {};
  return {
    source: environmentSource(environment),
    place: 'TOKEN',
    async set(value) {
      if (value === null) delete environment['TOKEN'];
      else environment['TOKEN'] = value;
    },
  };
});

secretSourceContract('file', async () => {
  const path = join(await fresh(), 'token');
  return {
    source: fileSource(),
    place: path,
    set: (value) => (value === null ? rm(path) : writeFile(path, `${value}\n`)),
  };
});

secretSourceContract('mounted Kubernetes Secret', async () => {
  const mount = await fresh();
  return {
    source: kubernetesSource(),
    place: join(mount, 'token'),
    set: (value) => mountedSecret(mount, value === null ? {} : { token: value }),
  };
});

test('a file is read without its last newline; what is huge or no file is named, and nothing hangs', async () => {
  const source = fileSource();
  const place = await fresh();
  await writeFile(join(place, 'token'), 'abc\ndef\n');
  expect(await source.read(join(place, 'token'), signal)).toBe('abc\ndef');
  await writeFile(join(place, 'huge'), 'x'.repeat(70_000));
  execFileSync('mkfifo', [join(place, 'pipe')]);
  for (const path of [join(place, 'huge'), join(place, 'pipe'), place, '/dev/zero']) {
    await expect(source.read(path, signal)).rejects.toMatchObject({ code: 'SECRET_MISSING' });
  }
});

test('a mounted Secret that is swapped all the time is always read whole, old or new', async () => {
  const mount = await fresh();
  await mountedSecret(mount, { token: 'version-0' });
  const source = kubernetesSource();
  const done = new AbortController();
  const swapping = (async () => {
    for (let version = 1; !done.signal.aborted; version += 1)
      await mountedSecret(mount, { token: `version-${version}` });
  })();
  for (let count = 0; count < 200; count += 1) {
    expect(await source.read(join(mount, 'token'), signal)).toMatch(/^version-\d+$/);
  }
  done.abort();
  await swapping;
});

test('nothing outside a mounted Secret is read through it', async () => {
  const mount = await fresh();
  await writeFile(join(directory, 'outside'), 'not-for-you');
  await mountedSecret(mount, { token: 'inside' });
  await symlink('/etc/passwd', join(mount, '..data', 'link'));
  const source = kubernetesSource();
  const places = [
    join(mount, 'link'),
    `${mount}/../outside`,
    `${mount}/..`,
    `${mount}/../${mount.split('/').at(-1)}/token`,
    `${mount}/..data`,
    `${mount}/..data/token`,
  ];
  for (const place of places) {
    await expect(source.read(place, signal)).rejects.toMatchObject({ code: 'SECRET_MISSING' });
  }
  await unlink(join(mount, '..data'));
  await symlink('../..', join(mount, '..data'));
  await expect(source.read(join(mount, 'outside'), signal)).rejects.toThrow('leads out of the mount');
});

test('a directory that is no mounted Secret, as with subPath, is refused with what to do', async () => {
  const place = await fresh();
  await writeFile(join(place, 'token'), 'never-rotated');
  await expect(kubernetesSource().read(join(place, 'token'), signal)).rejects.toThrow('not a subPath');
});

test('only references are accepted, with absolute paths', () => {
  const good = [
    '${env:TOKEN}',
    '${file:/etc/berth/token}',
    '${kubernetes:/var/run/secrets/berth/token}',
    '${kubernetes:/mount/..key}',
    '${op:Agents/GitHub/token}',
    '${op:vault with spaces/item/section/field}',
  ];
  const bad = [
    'plain',
    '${env:A B}',
    '${file:token}',
    '${kubernetes:/token}',
    '${kubernetes:/mount/../token}',
    '${kubernetes:/mount/..}',
    '${kubernetes:/mount/./token}',
    '${kubernetes:/mount//token}',
    '${op:vault/item}',
    '${op:a/b/c/d/e}',
    '${op:a//c}',
    '${env:TOKEN} ',
    'Bearer ${env:TOKEN}',
    '${vault:a}',
  ];
  const isTaken = (text: string): boolean => secretReferenceSchema.safeParse(text).success;
  expect(good.filter((text) => !isTaken(text))).toEqual([]);
  expect(bad.filter(isTaken)).toEqual([]);
});

test('a reference is read from the source of its kind, and one without a source says what to configure', async () => {
  const read = secretReader(() => localSources({ TOKEN: 'from-the-environment' }));
  expect(await read('${env:TOKEN}', signal)).toBe('from-the-environment');
  await expect(read('${op:a/b/c}', signal)).rejects.toThrow('secretSources.onePassword is not configured');
  await expect(read('no reference', signal)).rejects.toMatchObject({ code: 'SECRET_MISSING' });
});
