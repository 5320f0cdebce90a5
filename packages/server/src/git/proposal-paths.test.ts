import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { isDotGit, linkEscapes, pathProblem, protectedBy } from './proposal-paths.ts';
import { findSecrets } from './secret-scan.ts';
import { rawChanges, shownPath, splitNul, treeEntries } from './tree-listing.ts';
import { cpuMs } from '../testing/cpu-time.ts';

const bytes = (text: string) => Buffer.from(text);

test('every spelling of .git on any file system is known, and ordinary names are not taken for it', () => {
  for (const name of [
    '.git',
    '.GIT',
    '.Git',
    '.git.',
    '.git ',
    '.git . .',
    '.git::$INDEX_ALLOCATION',
    '.git:x',
    'git~1',
    'GIT~1',
    'git~2',
    '.g\u200cit',
    '.gi\ufefft',
    '\u206a.git',
  ]) {
    expect([name, isDotGit(name)]).toEqual([name, true]);
  }
  for (const name of ['.gitignore', '.github', 'git', '.gitt', 'x.git', '.gitkeep', 'git~'])
    expect([name, isDotGit(name)]).toEqual([name, false]);
});

test('paths that could leave the repository or deceive are refused', () => {
  for (const path of [
    '',
    '/etc/passwd',
    '../x',
    'a/../b',
    'a/./b',
    'a//b',
    'a/.git/hooks/x',
    'a\\.git\\config',
    '..\\x',
    'C:\\x',
    'a\nb',
    'a\x7f',
    'a\0b',
    'x/'.repeat(70) + 'y',
    'x'.repeat(1_025),
  ]) {
    expect([path, pathProblem(bytes(path)) !== null]).toEqual([path, true]);
  }
  for (const path of [
    'a',
    'a b/c"d\'e',
    'über/ünï.txt',
    '.github/workflows/x.yml',
    '...',
    '-rf',
    '$(x)',
    'a\\b',
  ]) {
    expect([path, pathProblem(bytes(path))]).toEqual([path, null]);
  }
  expect(pathProblem(Buffer.from([0xff, 0xfe, 0x41]))).toBeNull();
});

test('links are judged from where they lie', () => {
  expect(
    [
      ['a', '../b'],
      ['d/a', '../../b'],
      ['a', '/x'],
      ['d/a', 'x/../../../y'],
      ['a', ''],
      ['a', '.git/config'],
      ['d/a', '../.git/config'],
    ].map(([path, target]) => linkEscapes(bytes(path!), bytes(target!))),
  ).not.toContain(false);
  expect(
    [
      ['a', 'b'],
      ['d/a', '../b'],
      ['d/e/a', '../../x'],
      ['a', './b/../c'],
    ].map(([path, target]) => linkEscapes(bytes(path!), bytes(target!))),
  ).not.toContain(true);
});

test('protected patterns: folders, stars, letters of either case', () => {
  for (const [path, pattern] of [
    ['.berth/x', '.berth'],
    ['.BERTH/x', '.berth'],
    ['.berth/a/b', '.berth/**'],
    ['db/1.sql', 'db/*.sql'],
    ['a/b/c.lock', '**/*.lock'],
    ['c.lock', '**/*.lock'],
    ['src/x/y', '/src/'],
  ] as const) {
    expect([path, protectedBy(path, [pattern])]).toEqual([path, pattern]);
  }
  for (const [path, pattern] of [
    ['berth/x', '.berth'],
    ['.berthx', '.berth'],
    ['db/a/1.sql', 'db/*.sql'],
    ['xdb/1.sql', 'db/*.sql'],
    ['a.b', 'a?b/c'],
  ] as const) {
    expect([path, protectedBy(path, [pattern])]).toEqual([path, null]);
  }
});

test('listings of git with any bytes in names are read back exactly', () => {
  const name = fc
    .uint8Array({ minLength: 1, maxLength: 40 })
    .map((value) => Buffer.from(value.map((byte) => (byte === 0 ? 1 : byte))));
  fc.assert(
    fc.property(fc.array(name, { maxLength: 8 }), (names) => {
      const id = 'a'.repeat(40);
      const raw = Buffer.concat(
        names.flatMap((each) => [Buffer.from(`:100644 100755 ${id} ${id} M\0`), each, Buffer.from([0])]),
      );
      expect(rawChanges(raw).map((change) => change.path.toString('hex'))).toEqual(
        names.map((each) => each.toString('hex')),
      );
      const tree = Buffer.concat(
        names.flatMap((each) => [Buffer.from(`100644 blob ${id}      12\t`), each, Buffer.from([0])]),
      );
      expect(treeEntries(tree).map((entry) => entry.path.toString('hex'))).toEqual(
        names.map((each) => each.toString('hex')),
      );
    }),
  );
  fc.assert(
    fc.property(
      fc.uint8Array(),
      (data) =>
        Array.isArray(rawChanges(Buffer.from(data))) && splitNul(Buffer.from(data)).length <= data.length,
    ),
  );
});

test('what is shown of a path holds no control, hidden or reordering characters', () => {
  fc.assert(
    fc.property(fc.uint8Array(), (data) => {
      expect(shownPath(data)).not.toMatch(/[\p{Cc}\u200b-\u200f\u202a-\u202e\ufeff]/u);
    }),
  );
  expect(shownPath(bytes('über "x"'))).toBe('über "x"');
  expect(shownPath(Buffer.from([0x61, 0xff]))).toBe('a\\xff');
  expect(shownPath(bytes('a\u202eb'))).toBe('a\\u{202e}b');
});

test('secrets are found by shape and by value, and examples are not', () => {
  const random = 'q7Rz2LmX9vKd4TnB8wYc5HsJ3fGp6AeU';
  const found = (text: string, known: string[] = []) =>
    findSecrets(bytes(text), known).map((finding) => finding.rule);
  expect(found(`a\nkey = "sk-ant-api03-${random}${random}"`)).toEqual(['Anthropic key']);
  expect(
    found(`-----BEGIN RSA PRIVATE KEY-----\n${random.repeat(4)}\n-----END RSA PRIVATE KEY-----`),
  ).toEqual(['private key']);
  expect(found(`glpat-${random.slice(0, 20)}`)).toEqual(['GitLab token']);
  expect(
    found('AKIAIOSFODNN7EXAMPLE ghp_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx -----BEGIN PRIVATE KEY-----'),
  ).toEqual([]);
  expect(found('sk-learn-is-a-library-and-this-is-a-long-dashed-name')).toEqual([]);
  const secret = 'p@ss/word+1';
  for (const form of [
    secret,
    encodeURIComponent(secret),
    Buffer.from(secret).toString('base64'),
    Buffer.from(secret).toString('hex'),
  ]) {
    expect([form, found(`x=${form};`, [secret])]).toEqual([form, ['known secret']]);
  }
  expect(found('short', ['short'])).toEqual([]);
  expect(findSecrets(bytes(`1\n2\n${secret}`), [secret])[0]?.line).toBe(3);
});

test.each([
  ['**/'.repeat(30) + 'x', 'a/'.repeat(60) + 'y'],
  ['*a'.repeat(40) + 'b', 'a'.repeat(200)],
  ['**a'.repeat(40) + 'b', 'a/'.repeat(100)],
])('a pattern that is made to be slow is not: %s', (pattern, path) => {
  expect(cpuMs(() => expect(protectedBy(path, [pattern])).toBeNull())).toBeLessThan(500);
});

test('globs match as the regular expressions they stand for', () => {
  const spell: Readonly<Record<string, string>> = {
    '*': '[^/]*',
    '**': '.*',
    '**/': '(?:.*/)?',
    '?': '[^/]',
  };
  const piece = fc.constantFrom('a', 'b', '/', '*', '**', '**/', '?', '.');
  const pieces = fc.array(piece, { minLength: 1, maxLength: 6 });
  const paths = fc.string({ unit: fc.constantFrom('a', 'b', '/', '.', 'A'), minLength: 1, maxLength: 8 });
  fc.assert(
    fc.property(pieces, paths, (parts, path) => {
      const glob = parts.join('');
      // Neighbouring pieces may read as another piece than they were drawn as.
      const read =
        glob
          .replace(/^\/+/, '')
          .replace(/\/$/, '')
          .match(/\*\*\/|\*\*|[^]/g) ?? [];
      const source = read.map((one) => spell[one] ?? one.replace('.', '\\.')).join('');
      const expected = new RegExp(`^${source}(?:/.*)?$`, 'is').test(path);
      expect([glob, path, protectedBy(path, [glob]) !== null]).toEqual([glob, path, expected]);
    }),
    { numRuns: 3_000 },
  );
});
