import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { changedFilesScript } from '../changed-files.ts';
import { confirmScript } from '../steps/verify.ts';
import { detectGo } from './go.ts';
import { forFiles } from './part.ts';
import { detectPython } from './python.ts';
import { placeOf } from './reader.ts';

/** The scripts that detection writes, run by the plainest shell on real repositories. */
const made: string[] = [];
afterAll(() => made.forEach((path) => rmSync(path, { recursive: true, force: true })));

function repository(files: Readonly<Record<string, string>>): string {
  const root = mkdtempSync(join(tmpdir(), 'berth-scripts-'));
  made.push(root);
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
  git(root, 'init', '--quiet', '--initial-branch=main');
  git(root, 'add', '--all');
  git(root, '-c', 'user.name=t', '-c', 'user.email=t@example.org', 'commit', '--quiet', '-m', 'base');
  return root;
}

const git = (cwd: string, ...args: string[]): string =>
  execFileSync('git', args, { cwd, encoding: 'utf8' }).trim();

function sh(cwd: string, script: string, args: readonly string[] = []): { code: number | null; out: string } {
  const done = spawnSync('sh', ['-c', script, 'sh', ...args], { cwd, encoding: 'utf8' });
  return { code: done.status, out: done.stdout + done.stderr };
}

const hasGo = spawnSync('go', ['version']).status === 0;
const hasPytest = spawnSync('python3', ['-m', 'pytest', '--version']).status === 0;
const placeFor = (files: Readonly<Record<string, string>>) =>
  placeOf({ files: Object.keys(files), read: (path) => Promise.resolve(files[path] ?? null) }, '.');

test('a fix gets only the files it is for, whatever their names', () => {
  const root = repository({ a: '' });
  const script = forFiles(['*.go'], "printf '<%s>'");
  expect(sh(root, script, ['a b.go', 'c.md', "d'$(x).go"]).out).toBe("<a b.go><d'$(x).go>");
  expect(sh(root, script, ['c.md'])).toEqual({ code: 0, out: '' });
  expect(sh(root, script, ['.']).out).toBe('<.>');
});

test('changed files are those against the base, new ones included, deleted ones not', () => {
  const root = repository({ 'a.txt': '1', 'b.txt': '1', 'gone.txt': '1', '.gitignore': 'ignored\n' });
  const base = git(root, 'rev-parse', 'HEAD');
  writeFileSync(join(root, 'b.txt'), '2');
  writeFileSync(join(root, 'new file.txt'), '');
  writeFileSync(join(root, 'ignored'), '');
  rmSync(join(root, 'gone.txt'));
  expect(sh(root, changedFilesScript, [base]).out.split('\0')).toEqual(['b.txt', 'new file.txt', '']);
  expect(sh(root, changedFilesScript, ['0'.repeat(40)]).code).not.toBe(0);
});

test('confirming puts tracked files back and names the tree; a moved HEAD does not help', () => {
  const root = repository({ 'a.txt': '1' });
  const commit = git(root, 'rev-parse', 'HEAD');
  const tree = git(root, 'rev-parse', 'HEAD^{tree}');
  writeFileSync(join(root, 'a.txt'), 'tampered');
  git(
    root,
    '-c',
    'user.name=t',
    '-c',
    'user.email=t@example.org',
    'commit',
    '--quiet',
    '--all',
    '-m',
    'moved',
  );
  expect(sh(root, confirmScript, [commit])).toEqual({ code: 0, out: `${tree}\n` });
  expect(readFileSync(join(root, 'a.txt'), 'utf8')).toBe('1');
});

test.skipIf(!hasGo)(
  'Go: unformatted files are named, fixed, and the affected packages tested (needs go)',
  async () => {
    const files = {
      'go.mod': 'module example.test/x\n\ngo 1.20\n',
      'low/low.go': 'package low\n\nfunc  One() int { return 1 }\n',
      'high/high.go':
        'package high\n\nimport "example.test/x/low"\n\nfunc Two() int { return low.One() + 1 }\n',
      'high/high_test.go':
        'package high\n\nimport "testing"\n\nfunc TestTwo(t *testing.T) {\n\tif Two() != 2 {\n\t\tt.Fatal("no")\n\t}\n}\n',
      'other/other.go': 'package other\n',
    };
    const root = repository(files);
    const part = (await detectGo(placeFor(files)))!;
    const [format, , test] = part.checks;
    expect(sh(root, format!.run)).toEqual({ code: 1, out: 'would reformat low/low.go\n' });
    expect(sh(root, format!.fix!, ['low/low.go', 'README.md']).code).toBe(0);
    expect(sh(root, format!.run)).toEqual({ code: 0, out: '' });
    const affected = sh(root, test!.affected!, ['low/low.go']);
    expect(affected.code).toBe(0);
    expect(affected.out).toContain('example.test/x/high');
    expect(affected.out).not.toContain('example.test/x/other');
  },
);

test.skipIf(!hasPytest)('Python: a changed module runs the tests named after it (needs pytest)', async () => {
  const files = {
    'requirements.txt': 'pytest\n',
    'src/dates.py': '',
    'tests/test_dates.py': 'def test_dates(): pass\n',
    'tests/test_other.py': 'def test_other(): assert False\n',
    '.venv/bin/python': '#!/bin/sh\nexec python3 "$@"\n',
  };
  const root = repository(files);
  execFileSync('chmod', ['+x', join(root, '.venv/bin/python')]);
  const part = (await detectPython(placeFor(files)))!;
  const check = part.checks.find((one) => one.kind === 'test')!;
  expect(sh(root, check.affected!, ['src/dates.py', 'README.md'])).toMatchObject({ code: 0 });
  expect(sh(root, check.affected!, ['tests/test_other.py']).code).toBe(1);
  expect(sh(root, check.affected!, ['README.md']).out).toContain('1 failed, 1 passed');
});
