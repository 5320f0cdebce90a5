import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { enclosingRepository, isUrl, repositoryOf } from './repository.ts';

let root: string;
beforeAll(() => {
  root = realpathSync(mkdtempSync(join(tmpdir(), 'berth-repository-')));
  mkdirSync(join(root, 'plain', '.git'), { recursive: true });
  mkdirSync(join(root, 'plain', 'src', 'deep'), { recursive: true });
  mkdirSync(join(root, 'work tree'));
  writeFileSync(join(root, 'work tree', '.git'), 'gitdir: elsewhere');
  mkdirSync(join(root, 'bare.git', 'objects'), { recursive: true });
  mkdirSync(join(root, 'bare.git', 'refs'));
  writeFileSync(join(root, 'bare.git', 'HEAD'), 'ref: refs/heads/main');
  symlinkSync(join(root, 'plain'), join(root, 'linked'));
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

test('the top directory is found from inside, through links, for work trees and bare repositories', async () => {
  const plain = join(root, 'plain');
  expect(await repositoryOf(undefined, join(plain, 'src', 'deep'))).toBe(plain);
  expect(await repositoryOf('../linked', plain)).toBe(plain);
  expect(await repositoryOf(join(plain, 'src'), '/')).toBe(plain);
  expect(await repositoryOf('work tree', root)).toBe(join(root, 'work tree'));
  expect(await repositoryOf('bare.git', root)).toBe(join(root, 'bare.git'));
  expect(await enclosingRepository(root)).toBeNull();
});

test('URLs pass as they are; paths are not mistaken for them', async () => {
  for (const url of [
    'https://host/a.git',
    'ssh://git@host:22/a',
    'file:///srv/a',
    'git@host.example:team/a.git',
  ]) {
    expect(isUrl(url)).toBe(true);
    expect(await repositoryOf(url, '/')).toBe(url);
  }
  for (const path of ['/srv/a', './a', 'a', '../a:b', 'C:\\a', '-oProxyCommand=x'])
    expect(isUrl(path)).toBe(false);
});

test('what is no repository is refused with a code', async () => {
  for (const given of [undefined, '.', 'missing', 'plain/missing']) {
    await expect(repositoryOf(given, root)).rejects.toMatchObject({ code: 'REPO_NOT_FOUND' });
  }
});
