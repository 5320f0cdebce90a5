import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { BerthError } from '../domain/errors/index.ts';
import { commitAll, gitIn, makeRepository, TestPlace, writeFiles } from '../testing/git-fixtures.ts';
import { resolveBase } from './base-ref.ts';
import { openProject } from './mirror.ts';
import type { Mirror } from './mirror.ts';
import { listFilesAt, notesOn, readFileAt } from './read-files.ts';
import { packFor } from './shallow-pack.ts';

const { signal } = new AbortController();
let place: TestPlace;
beforeEach(() => {
  place = new TestPlace();
});
afterEach(() => place.cleanUp());

const open = async (repository: string, more: { timeoutMs?: number } = {}): Promise<Mirror> =>
  openProject({ home: place.path('home'), repository, signal, ...more });

async function codeOf(work: Promise<unknown>): Promise<BerthError> {
  const error = await work.then(
    () => null,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(BerthError);
  return error as BerthError;
}

/** Everything below a directory with its bytes and times, to prove that nothing was written. */
function snapshot(directory: string): Record<string, string> {
  const found: Record<string, string> = {};
  for (const entry of readdirSync(directory, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    const stat = statSync(path, { throwIfNoEntry: false });
    const bytes = entry.isFile() ? readFileSync(path).toString('base64') : '';
    found[path] = `${stat?.mtimeMs} ${stat?.mode} ${bytes}`;
  }
  return found;
}

describe('a local working copy', () => {
  test('is mirrored without a byte of it being written, and its uncommitted changes are counted', async () => {
    const source = makeRepository(place.path('source'), { 'a.txt': 'one\n', 'b.txt': 'two\n' });
    const commit = gitIn(source, ['rev-parse', 'HEAD']);
    writeFiles(source, { 'a.txt': 'changed\n', 'new.txt': 'new\n', 'staged.txt': 'x\n' });
    gitIn(source, ['add', 'staged.txt']);
    const before = snapshot(source);
    const mirror = await open(source);
    expect(snapshot(source)).toEqual(before);
    expect(mirror.uncommitted).toEqual({ staged: 1, modified: 1, untracked: 1 });
    expect(mirror.head).toEqual({ branch: 'main', commit });
    expect(await resolveBase(mirror, null, signal)).toEqual({ ref: 'main', commit, branch: 'main' });
    expect((await readFileAt(mirror, commit, 'a.txt', { signal }))?.toString()).toBe('one\n');
  });

  test('a touched but equal file does not count as changed', async () => {
    const source = makeRepository(place.path('source'), { 'a.txt': 'one\n' });
    execFileSync('touch', ['-d', '2001-01-01', join(source, 'a.txt')]);
    expect((await open(source)).uncommitted).toEqual({ staged: 0, modified: 0, untracked: 0 });
  });

  test('a subdirectory, a file URL, a relative path and a path with odd characters find the same repository', async () => {
    const source = makeRepository(place.path('so \'ur"ce'), { 'deep/er/a.txt': 'one\n' });
    const direct = await open(source);
    const others = [
      await open(join(source, 'deep/er')),
      await open(`file://${encodeURI(source)}`),
      await openProject({ home: place.path('home'), repository: './er', cwd: join(source, 'deep'), signal }),
    ];
    for (const other of others) expect(other.directory).toBe(direct.directory);
  });

  test('a linked worktree works from its own HEAD', async () => {
    const source = makeRepository(place.path('source'), { 'a.txt': 'one\n' });
    gitIn(source, ['worktree', 'add', '-q', '-b', 'side', place.path('linked')]);
    writeFiles(place.path('linked'), { 'a.txt': 'side\n' });
    const side = commitAll(place.path('linked'), 'side');
    const mirror = await open(place.path('linked'));
    expect(mirror.directory).toBe((await open(source)).directory);
    expect(await resolveBase(mirror, null, signal)).toEqual({ ref: 'side', commit: side, branch: 'side' });
  });

  test('a detached HEAD is a base without a branch', async () => {
    const source = makeRepository(place.path('source'), { 'a.txt': 'one\n' });
    gitIn(source, ['checkout', '-q', '--detach']);
    writeFiles(source, { 'a.txt': 'detached\n' });
    const commit = commitAll(source, 'detached');
    expect(await resolveBase(await open(source), null, signal)).toEqual({
      ref: commit,
      commit,
      branch: null,
    });
  });

  test('follows the source: moved, rewritten and removed branches', async () => {
    const source = makeRepository(place.path('source'), { 'a.txt': 'one\n' });
    gitIn(source, ['branch', 'old/name']);
    await open(source);
    gitIn(source, ['branch', '-D', 'old/name']);
    gitIn(source, ['branch', 'old']);
    gitIn(source, ['commit', '-q', '--amend', '--allow-empty', '-m', 'rewritten']);
    const mirror = await open(source);
    const commit = gitIn(source, ['rev-parse', 'HEAD']);
    expect((await resolveBase(mirror, 'main', signal)).commit).toBe(commit);
    expect((await resolveBase(mirror, 'old', signal)).ref).toBe('old');
    expect((await codeOf(resolveBase(mirror, 'old/name', signal))).code).toBe('BASE_UNKNOWN');
  });

  test('two processes may open it at once', async () => {
    const source = makeRepository(place.path('source'), { 'a.txt': 'one\n' });
    const mirrors = await Promise.all(Array.from({ length: 4 }, () => open(source)));
    expect(new Set(mirrors.map((mirror) => mirror.directory)).size).toBe(1);
  });

  test('a bare repository works', async () => {
    const source = makeRepository(place.path('source'), { 'a.txt': 'one\n' });
    gitIn(place.root, ['clone', '-q', '--bare', source, place.path('bare.git')]);
    const mirror = await open(place.path('bare.git'));
    expect(mirror.uncommitted).toBeNull();
    expect((await resolveBase(mirror, null, signal)).ref).toBe('main');
  });

  test('a shallow repository works, and that is said', async () => {
    const source = makeRepository(place.path('source'), { 'a.txt': 'one\n' });
    writeFiles(source, { 'a.txt': 'two\n' });
    commitAll(source, 'second');
    gitIn(place.root, ['clone', '-q', '--depth=1', `file://${source}`, place.path('shallow')]);
    const mirror = await open(place.path('shallow'));
    expect(mirror.shallow).toBe(true);
    const base = await resolveBase(mirror, null, signal);
    expect((await notesOn(mirror, base.commit, signal)).map((note) => note.kind)).toEqual(['shallow']);
    const pack = await packFor(mirror, base.commit, {}, signal);
    expect(pack.shallow).toEqual([base.commit]);
  });

  test('a partial clone whose objects are elsewhere says so', async () => {
    const source = makeRepository(place.path('source'), { 'a.txt': 'one\n' });
    gitIn(source, ['config', 'uploadpack.allowFilter', 'true']);
    writeFiles(source, { 'a.txt': 'two\n' });
    commitAll(source, 'second');
    gitIn(place.root, ['clone', '-q', '--filter=blob:none', `file://${source}`, place.path('partial')]);
    expect((await codeOf(open(place.path('partial')))).code).toBe('REPO_PARTIAL');
  });

  test.skipIf(process.getuid?.() !== 0)('a repository of another user works [needs root]', async () => {
    const source = makeRepository(place.path('source'), { 'a.txt': 'one\n' });
    execFileSync('chown', ['-R', '12345:12345', source]);
    expect((await resolveBase(await open(source), null, signal)).ref).toBe('main');
  });

  test('programs that its configuration names are not executed', async () => {
    const source = makeRepository(place.path('source'), {
      'a.txt': 'one\n',
      '.gitattributes': '* filter=evil diff=evil\n',
    });
    const canary = place.path('executed');
    const evil = place.path('evil.sh');
    writeFileSync(evil, `#!/bin/sh\necho "$0 $*" >> '${canary}'\nexit 1\n`);
    chmodSync(evil, 0o755);
    for (const key of [
      'core.fsmonitor',
      'core.sshCommand',
      'core.gitProxy',
      'core.editor',
      'core.pager',
      'core.askPass',
      'core.alternateRefsCommand',
      'uploadpack.packObjectsHook',
      'credential.helper',
      'diff.external',
      'filter.evil.clean',
      'filter.evil.smudge',
      'filter.evil.process',
      'diff.evil.textconv',
      'diff.evil.command',
      'gpg.program',
      'remote.origin.uploadpack',
      'sequence.editor',
      'alias.upload-pack',
      'alias.status',
    ]) {
      gitIn(source, ['config', key, evil]);
    }
    gitIn(source, ['config', 'core.hooksPath', place.path('hooks')]);
    gitIn(source, ['config', 'remote.origin.url', `ext::${evil}`]);
    gitIn(source, ['config', 'remote.origin.promisor', 'true']);
    mkdirSync(place.path('hooks'));
    for (const hook of [
      'pre-receive',
      'post-index-change',
      'reference-transaction',
      'post-checkout',
      'fsmonitor-watchman',
    ]) {
      writeFileSync(place.path('hooks', hook), readFileSync(evil));
      chmodSync(place.path('hooks', hook), 0o755);
    }
    writeFiles(source, { 'a.txt': 'changed\n', 'new.txt': 'x' });
    const mirror = await open(source);
    expect(mirror.uncommitted).toEqual({ staged: 0, modified: 1, untracked: 1 });
    const base = await resolveBase(mirror, null, signal);
    await packFor(mirror, base.commit, {}, signal);
    expect(existsSync(canary) ? readFileSync(canary, 'utf8') : '').toBe('');
    // The canary works: git without our settings runs it.
    try {
      gitIn(source, ['status']);
    } catch {
      // That the program fails is not the point.
    }
    expect(existsSync(canary)).toBe(true);
  });
});

describe('what cannot be opened has its own code', () => {
  test('nothing there, a file, a plain directory', async () => {
    writeFileSync(place.path('file'), '');
    mkdirSync(place.path('plain'));
    expect((await codeOf(open(place.path('missing')))).code).toBe('REPO_NOT_FOUND');
    expect((await codeOf(open(place.path('file')))).code).toBe('REPO_NOT_A_REPOSITORY');
    expect((await codeOf(open(place.path('plain')))).code).toBe('REPO_NOT_A_REPOSITORY');
  });

  test('no commits', async () => {
    mkdirSync(place.path('empty'));
    gitIn(place.path('empty'), ['init', '-q']);
    expect((await codeOf(open(place.path('empty')))).code).toBe('REPO_EMPTY');
    gitIn(place.root, ['init', '-q', '--bare', 'bare.git']);
    expect((await codeOf(open(place.path('bare.git')))).code).toBe('REPO_EMPTY');
  });

  test.each([
    '',
    '  ',
    '-u',
    '--upload-pack=x',
    'ext::sh -c x',
    'fd::3',
    'ftp://x/y',
    'https://',
    'ssh://-oProxyCommand=x/y',
    'a\0b',
  ])('the address %j is refused', async (address) => {
    expect(['REPO_ADDRESS_INVALID']).toContain((await codeOf(open(address))).code);
  });

  test('a host that is away, one that asks for a password, one that answers nothing', async () => {
    expect((await codeOf(open('http://127.0.0.1:9/x.git'))).code).toBe('REPO_UNREACHABLE');
    const server = createServer((request, response) => {
      if (request.url!.startsWith('/stuck')) return;
      response.writeHead(request.url!.startsWith('/missing') ? 404 : 401, {
        'www-authenticate': 'Basic realm="x"',
      });
      response.end();
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
    try {
      const refused = await codeOf(open(`http://user:hunter2secret@${host}/x.git`));
      expect(refused.code).toBe('REPO_AUTH_FAILED');
      expect(JSON.stringify([refused.message, refused.details])).not.toContain('hunter2secret');
      expect((await codeOf(open(`http://${host}/missing.git`))).code).toBe('REPO_NOT_FOUND');
      const stop = AbortSignal.timeout(300);
      const stuck = openProject({
        home: place.path('home'),
        repository: `http://${host}/stuck.git`,
        signal: stop,
      });
      await expect(stuck).rejects.toThrow('aborted due to timeout');
    } finally {
      server.closeAllConnections();
      server.close();
    }
  });

  test('an unknown base names the nearest', async () => {
    const source = makeRepository(place.path('source'), { 'a.txt': 'one\n' });
    gitIn(source, ['branch', 'develop']);
    gitIn(source, ['tag', 'v1.0']);
    const mirror = await open(source);
    const error = await codeOf(resolveBase(mirror, 'devlop', signal));
    expect(error.code).toBe('BASE_UNKNOWN');
    expect(error.message).toContain('develop');
    expect((await resolveBase(mirror, 'v1.0', signal)).branch).toBe('main');
    const short = (await resolveBase(mirror, 'main', signal)).commit.slice(0, 8);
    expect((await resolveBase(mirror, short, signal)).branch).toBe('main');
    for (const bad of ['--all', 'main..develop', 'a b', '@{-1}', 'main^', '']) {
      expect((await codeOf(resolveBase(mirror, bad, signal))).code).toBe('BASE_UNKNOWN');
    }
  });

  test('a damaged repository', async () => {
    const source = makeRepository(place.path('source'), { 'a.txt': 'one\n' });
    const blob = gitIn(source, ['rev-parse', 'HEAD:a.txt']);
    const file = join(source, '.git/objects', blob.slice(0, 2), blob.slice(2));
    chmodSync(file, 0o600);
    writeFileSync(file, 'not an object');
    expect(['REPO_DAMAGED', 'GIT_FAILED']).toContain((await codeOf(open(source))).code);
  });
});

describe('notes and files', () => {
  test('LFS pointers and submodules are noted and kept as they are', async () => {
    const inner = makeRepository(place.path('inner'), { 'x.txt': 'x' });
    const pointer = `version https://git-lfs.github.com/spec/v1\noid sha256:${'a'.repeat(64)}\nsize 12345\n`;
    const source = makeRepository(place.path('source'), {
      '.gitattributes': '*.bin filter=lfs diff=lfs merge=lfs -text\n',
      'big.bin': pointer,
    });
    gitIn(source, ['submodule', '--quiet', 'add', inner, 'lib/inner']);
    const commit = commitAll(source, 'with submodule');
    const mirror = await open(source);
    const notes = await notesOn(mirror, commit, signal);
    expect(notes.map((note) => note.kind).sort()).toEqual(['lfs', 'submodules']);
    expect((await readFileAt(mirror, commit, 'big.bin', { signal }))?.toString()).toBe(pointer);
    const { files } = await listFilesAt(mirror, commit, { signal });
    expect(files.find((file) => file.path === 'lib/inner')?.kind).toBe('submodule');
    expect(await readFileAt(mirror, commit, 'lib/inner', { signal })).toBeNull();
  });

  test('file names are bytes, and reading follows no link', async () => {
    const source = makeRepository(place.path('source'), {
      'a b"c\'.txt': '1',
      'new\nline': '2',
      '*glob': '3',
      ':(top)x': '4',
    });
    writeFileSync(Buffer.from(`${source}/caf\xe9`, 'latin1'), '5');
    execFileSync('ln', ['-s', '/etc/passwd', join(source, 'link')]);
    const commit = commitAll(source, 'odd');
    const mirror = await open(source);
    const { files, truncated } = await listFilesAt(mirror, commit, { signal });
    expect(truncated).toBe(false);
    expect(files).toHaveLength(6);
    for (const [path, text] of [
      ['a b"c\'.txt', '1'],
      ['new\nline', '2'],
      ['*glob', '3'],
      [':(top)x', '4'],
    ] as const) {
      expect((await readFileAt(mirror, commit, path, { signal }))?.toString()).toBe(text);
    }
    expect(await readFileAt(mirror, commit, 'link', { signal })).toBeNull();
    expect(await readFileAt(mirror, commit, 'missing', { signal })).toBeNull();
    expect((await listFilesAt(mirror, commit, { signal, most: 2 })).truncated).toBe(true);
  });
});

test('of a history of 200 MB a sandbox gets only what its depth needs', async () => {
  const source = makeRepository(place.path('source'), { 'a.txt': 'one\n' });
  // 100 commits, each replacing one file of 2 MB that does not compress.
  const parts: Buffer[] = [];
  for (let at = 0; at < 100; at += 1) {
    const data = randomBytes(2 * 1024 * 1024);
    parts.push(
      Buffer.from(
        `commit refs/heads/main\ncommitter T <t@t> ${1700000001 + at} +0000\ndata 1\nx${at === 0 ? '\nfrom refs/heads/main^0' : ''}\nM 100644 inline big.bin\ndata ${data.length}\n`,
      ),
      data,
      Buffer.from('\n'),
    );
  }
  gitIn(
    source,
    [
      '-c',
      'core.compression=0',
      '-c',
      'pack.compression=0',
      'fast-import',
      '--quiet',
      '--force',
      '--depth=0',
    ],
    Buffer.concat(parts),
  );
  const began = performance.now();
  const mirror = await open(source);
  const base = await resolveBase(mirror, 'main', signal);
  const pack = await packFor(mirror, base.commit, { depth: 50 }, signal);
  expect(pack.bytes).toBeLessThan(4 * 1024 * 1024);
  expect(pack.commits).toBe(1);
  const small = await packFor(mirror, base.commit, { depth: 5 }, signal);
  expect(small.commits).toBe(5);
  expect(small.bytes).toBeLessThan(12 * 1024 * 1024);
  expect(performance.now() - began).toBeLessThan(90_000);
});
