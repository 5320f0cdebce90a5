import { execFileSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import {
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest';
import { BerthError } from '../domain/errors/index.ts';
import type { Sandbox } from '../domain/ports/sandbox.ts';
import { fakeSpec, UnisolatedFakeDriver } from '../testing/fake-sandbox.ts';
import { commitAll, gitIn, makeRepository, TestPlace, writeFiles } from '../testing/git-fixtures.ts';
import { resolveBase } from './base-ref.ts';
import { restoreCheckpoint, saveCheckpoint } from './checkpoint.ts';
import type { Checkpoint } from './checkpoint.ts';
import { deliverRepository } from './deliver-repository.ts';
import { openProject } from './mirror.ts';
import { packFor } from './shallow-pack.ts';
import type { DeliveryPack } from './shallow-pack.ts';

const { signal } = new AbortController();
const driver = new UnisolatedFakeDriver();
let place: TestPlace;
let calls = 0;
beforeEach(() => {
  place = new TestPlace();
});
afterEach(async () => {
  await driver.destroyAll();
  place.cleanUp();
});
afterAll(() => driver.destroyAll());

const callId = () => {
  calls += 1;
  return `call-${calls}`;
};

interface Delivered {
  readonly sandbox: Sandbox;
  readonly repo: string;
  readonly home: string;
  readonly pack: DeliveryPack;
}

async function deliver(source: string): Promise<Delivered> {
  const mirror = await openProject({ home: place.path('home'), repository: source, signal });
  const base = await resolveBase(mirror, null, signal);
  return fill(await packFor(mirror, base.commit, {}, signal));
}

async function fill(pack: DeliveryPack): Promise<Delivered> {
  const spec = fakeSpec();
  const sandbox = await driver.create(spec, signal);
  await deliverRepository(sandbox, { callId: callId(), pack, branch: 'berth/task-1', signal });
  const workspace = driver.workspaceOf(spec.id);
  return { sandbox, repo: join(workspace, 'repo'), home: join(workspace, '../home'), pack };
}

const save = async ({ sandbox, pack }: Delivered): Promise<Checkpoint> =>
  saveCheckpoint(sandbox, { callId: callId(), base: pack.commit, submodules: pack.submodules, signal });

async function restored(from: Delivered, checkpoint: Checkpoint): Promise<Delivered> {
  const fresh = await fill(from.pack);
  await restoreCheckpoint(fresh.sandbox, {
    callId: callId(),
    id: checkpoint.id,
    pack: checkpoint.pack,
    signal,
  });
  return fresh;
}

/** Every file, link and folder with its bytes and executable bit; names as latin1 so that all bytes count. */
function contents(directory: string): Record<string, string> {
  const found: Record<string, string> = {};
  const walk = (path: Buffer, name: string) => {
    for (const entry of readdirSync(path, { encoding: 'buffer' })) {
      const full = Buffer.concat([path, Buffer.from('/'), entry]);
      const shown = `${name}/${entry.toString('latin1')}`;
      const stat = lstatSync(full);
      if (stat.isDirectory()) {
        found[shown] = 'folder';
        walk(full, shown);
      } else if (stat.isSymbolicLink()) found[shown] = `-> ${readlinkSync(full, { encoding: 'latin1' })}`;
      else
        found[shown] =
          `${(stat.mode & 0o111) !== 0 ? 'x' : '-'} ${createHash('sha256').update(readFileSync(full)).digest('hex')}`;
    }
  };
  walk(Buffer.from(directory), '');
  return found;
}

const names = (repo: string, tree: string, home: string) =>
  execFileSync(
    'git',
    ['--git-dir', join(home, '.berth/checkpoint.git'), 'ls-tree', '-r', '-z', '--name-only', tree],
    { cwd: repo },
  )
    .toString('latin1')
    .split('\0')
    .filter((name) => name !== '')
    .sort();

describe('delivery', () => {
  test('gives a clean checkout on the task’s branch, with Berth’s identity and no remote', async () => {
    const source = makeRepository(place.path('source'), { 'a.txt': 'one\n', 'run.sh': '#!/bin/sh\n' });
    execFileSync('chmod', ['+x', join(source, 'run.sh')]);
    const commit = commitAll(source, 'second');
    const { repo } = await deliver(source);
    expect(gitIn(repo, ['rev-parse', 'HEAD', '--abbrev-ref', 'HEAD'])).toBe(`${commit}\nberth/task-1`);
    expect(gitIn(repo, ['status', '--porcelain'])).toBe('');
    expect(gitIn(repo, ['remote'])).toBe('');
    expect(gitIn(repo, ['config', 'user.email'])).toBe('agent@berth.invalid');
    expect(gitIn(repo, ['log', '--format=%s'])).toBe('second\nfirst');
    expect(gitIn(repo, ['fsck', '--no-dangling'])).toBe('');
  });

  test('writes the bytes of the commit whatever attributes say, and git in the sandbox sees no change', async () => {
    const files = {
      '.gitattributes':
        '*.crlf text eol=crlf\n*.id ident\n*.u16 working-tree-encoding=UTF-16LE\n*.lfs filter=lfs\n*.mixed text=auto\n',
      'a.crlf': 'one\ntwo\n',
      'b.id': '$Id$\n',
      'c.u16': Buffer.from('text\n', 'utf16le'),
      'd.lfs': 'version https://git-lfs.github.com/spec/v1\n',
      'windows.txt': 'one\r\ntwo\r\n',
    };
    const source = makeRepository(place.path('source'), files);
    const delivered = await deliver(source);
    const blob = (name: string) => gitIn(source, ['cat-file', '-p', `HEAD:${name}`]);
    for (const name of Object.keys(files)) {
      expect(readFileSync(join(delivered.repo, name), 'utf8').replace(/\n$/, '')).toBe(blob(name));
    }
    expect(gitIn(delivered.repo, ['status', '--porcelain'])).toBe('');
    writeFiles(delivered.repo, { 'new.crlf': 'x\r\n', 'new.txt': 'y\r\n' });
    const checkpoint = await save(delivered);
    expect(checkpoint.files).toBe(2);
    const fresh = await restored(delivered, checkpoint);
    expect(readFileSync(join(fresh.repo, 'new.crlf'), 'utf8')).toBe('x\r\n');
  });
});

describe('a checkpoint', () => {
  test('of an untouched tree is the base', async () => {
    const source = makeRepository(place.path('source'), { 'a.txt': 'one\n', 'd/b.txt': 'two\n' });
    const delivered = await deliver(source);
    const checkpoint = await save(delivered);
    const tree = gitIn(source, ['rev-parse', 'HEAD^{tree}']);
    expect(checkpoint).toMatchObject({
      tree,
      proposalTree: tree,
      files: 0,
      added: 0,
      removed: 0,
      largeFiles: 0,
    });
  });

  test('restores working tree, index, refs, stash, nested repositories and empty folders exactly', async () => {
    const source = makeRepository(place.path('source'), {
      'keep.txt': 'keep\n',
      'edit.txt': 'old\n',
      'gone.txt': 'x\n',
      'dir/file': 'to become a file\n',
      file: 'to become a folder\n',
      '.gitignore': '*.log\nignored/\n',
    });
    const delivered = await deliver(source);
    const { repo } = delivered;
    writeFiles(repo, { 'stashed.txt': 's' });
    gitIn(repo, ['add', 'stashed.txt']);
    gitIn(repo, ['stash', '-q']);
    writeFiles(repo, { 'edit.txt': 'new\n', 'committed.txt': 'c\n' });
    gitIn(repo, ['rm', '-q', 'gone.txt']);
    commitAll(repo, 'agent');
    gitIn(repo, ['branch', 'agent-side']);
    rmSync(join(repo, 'dir'), { recursive: true });
    rmSync(join(repo, 'file'));
    writeFiles(repo, {
      dir: 'file now',
      'file/inside': 'folder now',
      'edit.txt': 'newer\n',
      'debug.log': 'log\n',
      'ignored/x': 'y',
      'staged.txt': 'staged\n',
      'with space': '1',
      'q\'uo"te': '2',
      'new\nline': '3',
      '-dash': '4',
      '*glob[': '5',
      'back\\slash': '6',
      'tab\t': '7',
      '$(touch x)`y`': '8',
    });
    writeFileSync(Buffer.from(`${repo}/bad\xff\xfe`, 'latin1'), '9');
    gitIn(repo, ['add', 'staged.txt']);
    writeFiles(repo, { script: '#!/bin/sh\n' });
    execFileSync('chmod', ['755', join(repo, 'script')]);
    symlinkSync('/etc/passwd', join(repo, 'absolute'));
    symlinkSync('../../..', join(repo, 'out'));
    symlinkSync('nowhere', join(repo, 'dangling'));
    mkdirSync(join(repo, 'empty/deeper'), { recursive: true });
    makeRepository(join(repo, 'nested'), { 'n.txt': 'n\n', 'deep/m.txt': 'm\n' });
    makeRepository(join(repo, 'nested/inner'), { 'i.txt': 'i\n' });
    mkdirSync(join(repo, 'unborn'));
    gitIn(join(repo, 'unborn'), ['init', '-q']);
    writeFiles(repo, { 'unborn/u.txt': 'u\n' });
    execFileSync('mkfifo', [join(repo, 'pipe')]);

    const checkpoint = await save(delivered);
    const fresh = await restored(delivered, checkpoint);
    rmSync(join(repo, 'pipe'));
    expect(contents(fresh.repo)).toEqual(contents(repo));
    expect(gitIn(fresh.repo, ['status', '--porcelain'])).toBe(gitIn(repo, ['status', '--porcelain']));
    expect(gitIn(fresh.repo, ['for-each-ref'])).toBe(gitIn(repo, ['for-each-ref']));
    expect(gitIn(fresh.repo, ['stash', 'list'])).toBe(gitIn(repo, ['stash', 'list']));
    expect(gitIn(join(fresh.repo, 'nested'), ['log', '--format=%H'])).toBe(
      gitIn(join(repo, 'nested'), ['log', '--format=%H']),
    );
    const again = await save(fresh);
    expect([again.tree, again.proposalTree]).toEqual([checkpoint.tree, checkpoint.proposalTree]);

    const proposed = names(repo, checkpoint.proposalTree, delivered.home);
    expect(proposed).toEqual(
      expect.arrayContaining([
        'nested/n.txt',
        'nested/inner/i.txt',
        'unborn/u.txt',
        'bad\xff\xfe',
        'new\nline',
        'committed.txt',
      ]),
    );
    expect(proposed).not.toEqual(expect.arrayContaining(['debug.log']));
    expect(proposed).not.toEqual(expect.arrayContaining(['gone.txt']));
    expect(names(repo, checkpoint.tree, delivered.home)).toEqual(
      expect.arrayContaining(['debug.log', 'ignored/x']),
    );
  });

  test('leaves out what setup makes again, and a proposal keeps tracked files that are ignored', async () => {
    const source = makeRepository(place.path('source'), {
      'a.txt': 'a',
      'node_modules/own/index.js': 'tracked',
    });
    writeFiles(source, { '.gitignore': '*.gen\ntarget/\n' });
    writeFiles(source, { 'x.gen': 'tracked though ignored' });
    gitIn(source, ['add', '-f', 'x.gen']);
    commitAll(source, 'second');
    const delivered = await deliver(source);
    writeFiles(delivered.repo, {
      'node_modules/dep/index.js': 'made again',
      'sub/node_modules/y': 'made again',
      'target/big.o': 'made again',
      'src/target.ts': 'source',
      'x.gen': 'changed',
      'y.gen': 'ignored',
      'z.gen': 'forced',
      'node_modules/own/index.js': 'changed',
      'large.gen': Buffer.alloc(2 * 1024 * 1024, 1),
      'build/made-by-hand.ts': 'not ignored: source',
    });
    gitIn(delivered.repo, ['add', '-f', 'z.gen']);
    const checkpoint = await save(delivered);
    expect(names(delivered.repo, checkpoint.proposalTree, delivered.home)).toEqual([
      '.gitignore',
      'a.txt',
      'build/made-by-hand.ts',
      'node_modules/own/index.js',
      'src/target.ts',
      'x.gen',
      'z.gen',
    ]);
    expect(names(delivered.repo, checkpoint.tree, delivered.home)).toEqual([
      '.gitignore',
      'a.txt',
      'build/made-by-hand.ts',
      'node_modules/own/index.js',
      'src/target.ts',
      'x.gen',
      'y.gen',
      'z.gen',
    ]);
    writeFiles(delivered.repo, { '.gitignore': '*.gen\ntarget/\nbuild/\n' });
    const later = await save(delivered);
    expect(names(delivered.repo, later.proposalTree, delivered.home)).not.toContain('build/made-by-hand.ts');
  });

  test('keeps submodules where they are, and restores what lies in their folders', async () => {
    const inner = makeRepository(place.path('inner'), { 'x.txt': 'x' });
    const source = makeRepository(place.path('source'), { 'a.txt': 'a' });
    gitIn(source, ['submodule', '--quiet', 'add', inner, 'lib/in ner']);
    commitAll(source, 'submodule');
    const delivered = await deliver(source);
    expect(delivered.pack.submodules).toEqual(['lib/in ner']);
    writeFiles(delivered.repo, { 'lib/in ner/scratch.txt': 'scratch', 'a.txt': 'b' });
    const checkpoint = await save(delivered);
    expect(checkpoint.files).toBe(1);
    const fresh = await restored(delivered, checkpoint);
    expect(contents(fresh.repo)).toEqual(contents(delivered.repo));
  });

  test('is not fooled or stopped by what the agent does to git’s files', async () => {
    const source = makeRepository(place.path('source'), { 'a.txt': 'one\n', 'b.txt': 'two\n' });
    const delivered = await deliver(source);
    const { repo, home } = delivered;
    const canary = place.path('canary');
    writeFiles(repo, {
      '.gitattributes': '* filter=x text eol=crlf ident working-tree-encoding=UTF-16\n',
      'a.txt': 'changed $Id$\r\n',
    });
    gitIn(repo, ['update-index', '--assume-unchanged', 'b.txt']);
    writeFiles(repo, { 'b.txt': 'changed in secret\n' });
    writeFileSync(join(repo, '.git/index.lock'), '');
    writeFileSync(join(repo, '.git/info/exclude'), 'hidden.txt\n');
    writeFiles(repo, { 'hidden.txt': 'h' });
    for (const key of ['core.fsmonitor', 'filter.x.clean', 'filter.x.smudge', 'diff.external'])
      gitIn(repo, ['config', key, `touch ${canary};`]);
    const checkpoint = await save(delivered);
    expect(names(repo, checkpoint.proposalTree, home)).toEqual([
      '.gitattributes',
      'a.txt',
      'b.txt',
      'hidden.txt',
    ]);
    expect(checkpoint.files).toBe(4);
    const show = (name: string) =>
      execFileSync('git', [
        '--git-dir',
        join(home, '.berth/checkpoint.git'),
        'cat-file',
        'blob',
        `${checkpoint.proposalTree}:${name}`,
      ]).toString();
    expect(show('a.txt')).toBe('changed $Id$\r\n');
    expect(() => lstatSync(canary)).toThrow('ENOENT');

    rmSync(join(home, '.berth'), { recursive: true });
    mkdirSync(join(home, '.berth'));
    expect((await save(delivered)).proposalTree).toBe(checkpoint.proposalTree);
    writeFileSync(join(repo, '.git/index'), 'garbage');
    expect((await save(delivered)).proposalTree).toBe(checkpoint.proposalTree);
    rmSync(join(repo, '.git'), { recursive: true });
    expect((await save(delivered)).proposalTree).toBe(checkpoint.proposalTree);
    rmSync(join(home, '.berth/checkpoint.git'), { recursive: true });
    await expect(save(delivered)).rejects.toMatchObject({ code: 'CHECKPOINT_FAILED' });
  });

  test('too much new data has its own code', async () => {
    const source = makeRepository(place.path('source'), { 'a.txt': 'one\n' });
    const delivered = await deliver(source);
    writeFiles(delivered.repo, { 'big.bin': randomBytes(3 * 1024 * 1024) });
    const saving = saveCheckpoint(delivered.sandbox, {
      callId: callId(),
      base: delivered.pack.commit,
      submodules: [],
      signal,
      maxBytes: 1024 * 1024,
    });
    const error: unknown = await saving.catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(BerthError);
    expect((error as BerthError).code).toBe('CHECKPOINT_TOO_LARGE');
    expect((await save(delivered)).files).toBe(1);
  });
});

test('20,000 files are delivered, saved and restored within seconds', async () => {
  const files: Record<string, string> = {};
  for (let at = 0; at < 20_000; at += 1)
    files[`src/d${at % 200}/f${at}.ts`] = `export const value${at} = ${at};\n`.repeat(20);
  const source = makeRepository(place.path('source'), files);
  const times: Record<string, number> = {};
  const timed = async <T>(name: string, work: () => Promise<T>): Promise<T> => {
    const began = performance.now();
    const result = await work();
    times[name] = Math.round(performance.now() - began);
    return result;
  };
  const delivered = await timed('deliver', () => deliver(source));
  await timed('first', () => save(delivered));
  writeFiles(delivered.repo, { 'src/d1/f1.ts': 'changed\n', 'src/new.ts': 'new\n' });
  const checkpoint = await timed('save', () => save(delivered));
  expect(checkpoint.files).toBe(2);
  const fresh = await timed('restore', () => restored(delivered, checkpoint));
  expect(readFileSync(join(fresh.repo, 'src/d1/f1.ts'), 'utf8')).toBe('changed\n');
  process.stderr.write(
    `checkpoint times in ms: ${JSON.stringify({ ...times, bytes: checkpoint.pack.length })}\n`,
  );
  expect(times['save']).toBeLessThan(30_000);
});
