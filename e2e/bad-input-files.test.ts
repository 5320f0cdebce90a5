import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { commitAll, gitIn, writeFiles } from '../packages/server/src/testing/git-fixtures.ts';
import { bubblewrapMissing } from './support/parts.ts';
import { changing, dataOf, openWorld, withBlueprint, type RunResult, type World } from './support/world.ts';

/** What lies in trees: odd names, links, submodules, pointers, ends of lines. What is not the change stays as it is. */
describe.skipIf(bubblewrapMissing !== null)(`bad input: files (${bubblewrapMissing ?? 'bwrap'})`, () => {
  let world: World;
  beforeAll(async () => {
    world = await openWorld();
  });
  afterAll(() => world.remove());

  /** Tree entries of the base and of what was pushed, as the forge's repository has them. */
  const trees = (repository: string, result: RunResult): { before: string[]; after: string[] } => {
    const { commit, base } = dataOf<{ commit: string; base: string }>(result, 'proposal.made')[0]!;
    const mirror = mirrorOf(world, commit);
    return { before: entries(repository, base), after: entries(mirror, commit) };
  };
  const onlyAdded = (repository: string, result: RunResult, path: string): void => {
    expect(result.run.status).toMatchObject({ state: 'succeeded' });
    const { before, after } = trees(repository, result);
    expect(after.filter((entry) => !before.includes(entry)).map(pathOf)).toEqual([path]);
    expect(before.filter((entry) => !after.includes(entry))).toEqual([]);
  };
  const add = changing('echo new > new.txt', 'test -f new.txt');

  describe('names', () => {
    test('with spaces, quotes, newlines, dashes and other bytes than UTF-8 stay, and can be changed', async () => {
      const repository = oddNames(world, 'odd-names');
      onlyAdded(repository, await world.run(withBlueprint(repository, add)), 'new.txt');
      const all = await world.run(
        withBlueprint(repository, changing('for file in *; do echo more >> "./$file"; done')),
      );
      expect(all.run.status).toMatchObject({ state: 'succeeded' });
      const { before, after } = trees(repository, all);
      expect(after.map(pathOf)).toEqual(before.map(pathOf));
      expect(after.filter((entry) => before.includes(entry))).toEqual([]);
      expect(all.run.changes).toMatchObject({ files: before.length, added: before.length });
    });

    test('with quotes and spaces may be new', async () => {
      const repository = world.repository('new-names');
      const script = `echo x > 'a b "c" $(id) ö.txt'`;
      onlyAdded(
        repository,
        await world.run(withBlueprint(repository, changing(script))),
        'a b "c" $(id) ö.txt',
      );
    });

    test('with control characters may not be new; the work is kept', async () => {
      const repository = world.repository('control-names');
      const result = await world.run(
        withBlueprint(repository, changing(`printf x > "$(printf 'a\\nb.txt')"`)),
      );
      expect(result.run.status).toMatchObject({ state: 'needs_human', code: 'PROPOSAL_PATH_REFUSED' });
      expect(result.run.status.reason).toContain('control characters');
      expect(result.run.status.reason).not.toContain('\n');
      expect(result.run.pullRequest).toBeNull();
      expect(await world.server.controlPlane.diff(result.run.id)).toContain('+x');
    });
  });

  describe('symbolic links', () => {
    test('that point out of the tree are fine in the base, and untouched', async () => {
      const repository = world.repository('base-links', { 'a.txt': 'a\n' });
      for (const [name, target] of [
        ['absolute', '/etc/passwd'],
        ['above', '../../../etc/shadow'],
        ['dangling', 'nowhere'],
        ['loop', 'loop'],
        ['git', '.git/config'],
      ] as const)
        symlinkSync(target, join(repository, name));
      commitAll(repository, 'Links');
      onlyAdded(repository, await world.run(withBlueprint(repository, add)), 'new.txt');
    });

    test.each([
      ['absolute', 'ln -s /etc/passwd link'],
      ['relative', 'mkdir -p a; ln -s ../../outside a/link'],
      ['into git', 'ln -s .git/config link'],
      ['an old one turned', 'rm -f inner; ln -s /etc/passwd inner'],
    ])('that are new and point out of the tree are refused (%s)', async (name, script) => {
      const repository = world.repository(`new-link-${name.replaceAll(' ', '-')}`, { 'a.txt': 'a\n' });
      symlinkSync('a.txt', join(repository, 'inner'));
      commitAll(repository, 'Link');
      const result = await world.run(withBlueprint(repository, changing(script)));
      expect(result.run.status).toMatchObject({ state: 'needs_human', code: 'PROPOSAL_SYMLINK_REFUSED' });
      expect(result.run.pullRequest).toBeNull();
    });

    test('that are new and stay inside are accepted', async () => {
      const repository = world.repository('inner-link', { 'a/b.txt': 'b\n' });
      onlyAdded(
        repository,
        await world.run(withBlueprint(repository, changing('ln -s a/b.txt inside'))),
        'inside',
      );
    });
  });

  describe('contents', () => {
    test('of LFS pointers stay pointers', async () => {
      const pointer = `version https://git-lfs.github.com/spec/v1\noid sha256:${'a'.repeat(64)}\nsize 123456\n`;
      const repository = world.repository('lfs', {
        '.gitattributes': '*.bin filter=lfs diff=lfs merge=lfs -text\n',
        'big.bin': pointer,
      });
      const read = changing('cp big.bin new.txt', 'grep -q git-lfs new.txt');
      onlyAdded(repository, await world.run(withBlueprint(repository, read)), 'new.txt');
    });

    test('with CRLF keep their bytes, whatever the attributes say', async () => {
      const repository = world.repository('crlf', { 'old.txt': 'one\r\ntwo\r\n', 'mixed.txt': 'a\r\nb\n' });
      writeFiles(repository, { '.gitattributes': '* text=auto eol=crlf\n' });
      gitIn(repository, ['-c', 'core.autocrlf=false', 'add', '.gitattributes']);
      gitIn(repository, ['commit', '-q', '-m', 'Attributes']);
      const exact = String.raw`test "$(tail -c 2 old.txt | od -An -tx1)" = " 0d 0a"`;
      onlyAdded(
        repository,
        await world.run(withBlueprint(repository, changing(`${exact} && echo new > new.txt`, exact))),
        'new.txt',
      );
    });

    test('of submodules stay at their commit; to move one changes nothing', async () => {
      const inner = world.repository('inner', { 'inner.txt': 'x\n' });
      const repository = world.repository('outer');
      gitIn(repository, ['submodule', '--quiet', 'add', inner, 'sub']);
      commitAll(repository, 'Submodule');
      onlyAdded(repository, await world.run(withBlueprint(repository, add)), 'new.txt');
      const script = `git update-index --cacheinfo 160000,${'1'.repeat(40)},sub && git -c user.name=a -c user.email=a@b commit -qm moved; rm -rf sub; git init -q sub; cd sub && git -c user.name=a -c user.email=a@b commit -q --allow-empty -m x`;
      const moved = await world.run(withBlueprint(repository, changing(script)));
      expect(moved.run.pullRequest).toBeNull();
      expect(moved.run.status).toMatchObject({ code: 'NOTHING_CHANGED' });
    });

    test('of secrets are not pushed', async () => {
      const repository = world.repository('secrets');
      const value = createHash('sha256').update('no key of anybody').digest('hex').slice(0, 36);
      const script = `printf 'key = "%s%s"\\n' ghp_ ${value} > new.txt`;
      const { run } = await world.run(withBlueprint(repository, changing(script)));
      expect(run.status).toMatchObject({ state: 'needs_human', code: 'PROPOSAL_SECRET_FOUND' });
      expect(run.pullRequest).toBeNull();
    });
  });
});

/** A repository whose file names hold every byte that a file system takes, in turn. */
function oddNames(world: World, name: string): string {
  const repository = world.repository(name, {
    'a b.txt': '1\n',
    ' leading': '2\n',
    '"quoted"': '3\n',
    "it's": '4\n',
    '-n': '5\n',
    '--help': '6\n',
    'back\\slash': '7\n',
    '*glob?[x]': '8\n',
    'ünïcödé 🎉': '9\n',
    '$(touch owned)': '10\n',
  });
  const raw = [...Array(255).keys()].map((at) => at + 1).filter((byte) => byte !== 0x2f);
  for (const bytes of [raw.slice(0, 127), raw.slice(127), [0x61, 0x0a, 0x62], [0xff, 0xfe]])
    writeFileSync(Buffer.concat([Buffer.from(`${repository}/`), Buffer.from(bytes)]), `${bytes.length}\n`);
  commitAll(repository, 'Odd names');
  return repository;
}

/** `mode type id<tab>path` of a commit's files, byte for byte. */
function entries(repository: string, commit: string): string[] {
  return execFileSync('git', ['-C', repository, 'ls-tree', '-r', '-z', commit])
    .toString('latin1')
    .split('\0')
    .filter((entry) => entry !== '');
}

function pathOf(entry: string): string {
  return Buffer.from(entry.slice(entry.indexOf('\t') + 1), 'latin1').toString('utf8');
}

/** Berth's own copy that holds a commit. */
function mirrorOf(world: World, commit: string): string {
  const script = `for place in "$1"/mirrors/*.git "$1"/mirrors/*; do git -C "$place" cat-file -e "$2" 2>/dev/null && echo "$place" && exit; done; exit 1`;
  return execFileSync('sh', ['-c', script, 'sh', world.home, commit]).toString().trim();
}
