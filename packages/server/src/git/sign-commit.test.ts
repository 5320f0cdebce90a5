import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { gitIn, makeRepository, TestPlace } from '../testing/git-fixtures.ts';
import { commitProposal } from './proposal-commit.ts';

const { signal } = new AbortController();
let place: TestPlace;
beforeEach(() => {
  place = new TestPlace();
});
afterEach(() => place.cleanUp());

function keyOf(name: string, passphrase = ''): string {
  const file = place.path(name);
  execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', passphrase, '-C', name, '-f', file]);
  return file;
}

function requestIn(repository: string, signingKey: string) {
  return {
    base: gitIn(repository, ['rev-parse', 'HEAD']).trim(),
    tree: gitIn(repository, ['rev-parse', 'HEAD^{tree}']).trim(),
    taskId: 't-1',
    runId: 'r-1',
    title: 'Fix it',
    body: '',
    atMs: 1_700_000_000_000,
    coAuthors: [{ name: 'Ada <x>\nL', email: 'ada@example.com' }],
    maker: { name: 'Berth', email: 'berth@example.com', signingKey },
    signal,
  };
}

const leftKeys = (): string[] =>
  ['/dev/shm', tmpdir()].flatMap((path) =>
    existsSync(path) ? readdirSync(path).filter((name) => name.startsWith('berth-sign-')) : [],
  );

test('a signed commit is verified by git, is the same when it is repeated, and leaves no key behind', async () => {
  const repository = makeRepository(place.path('source'), { 'a.txt': 'a' });
  const key = keyOf('key');
  const request = requestIn(repository, readFileSync(key, 'utf8'));
  const before = leftKeys();
  const commit = await commitProposal(repository, request);
  const allowed = place.path('allowed');
  writeFileSync(allowed, `berth@example.com ${readFileSync(`${key}.pub`, 'utf8')}`);
  gitIn(repository, ['-c', `gpg.ssh.allowedSignersFile=${allowed}`, 'verify-commit', commit]);
  gitIn(repository, ['fsck', '--strict']);
  expect(await commitProposal(repository, request)).toBe(commit);
  expect(leftKeys()).toEqual(before);
  expect(
    gitIn(repository, ['log', '-1', '--format=%an <%ae>%n%(trailers:key=Co-authored-by)', commit]).trim(),
  ).toBe('Berth <berth@example.com>\nCo-authored-by: Ada xL <ada@example.com>');
});

test('a commit signed by another key is not verified', async () => {
  const repository = makeRepository(place.path('source'), { 'a.txt': 'a' });
  const commit = await commitProposal(repository, requestIn(repository, readFileSync(keyOf('key'), 'utf8')));
  const allowed = place.path('allowed');
  writeFileSync(allowed, `berth@example.com ${readFileSync(`${keyOf('other')}.pub`, 'utf8')}`);
  expect(() =>
    gitIn(repository, ['-c', `gpg.ssh.allowedSignersFile=${allowed}`, 'verify-commit', commit]),
  ).toThrow(/verify-commit/);
});

test('a key that cannot be used stops the commit instead of leaving it unsigned', async () => {
  const repository = makeRepository(place.path('source'), { 'a.txt': 'a' });
  for (const key of ['no key', readFileSync(keyOf('locked', 'a passphrase'), 'utf8')]) {
    const failure = await commitProposal(repository, requestIn(repository, key)).catch(
      (error: unknown) => error,
    );
    expect(failure).toMatchObject({ code: 'SIGNING_FAILED' });
    expect(JSON.stringify(failure)).not.toContain(key.split('\n')[1] ?? key);
  }
  expect(gitIn(repository, ['rev-list', '--all', '--count']).trim()).toBe('1');
});
