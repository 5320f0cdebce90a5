import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { collisions, rulesOnPath, windowsProblem } from './change-rules.ts';

const rules = (path: string): string[] => rulesOnPath(path).map(({ rule }) => rule);

test.each([
  ['.github/workflows/ci.yml', ['ci']],
  ['.GitHub/Workflows/CI.yml', ['ci']],
  ['.gitlab-ci.yml', ['ci']],
  ['docs/CODEOWNERS', ['codeowners']],
  ['AGENTS.md', ['agentConfig']],
  ['packages/a/claude.md', ['agentConfig']],
  ['.cursor/rules/a.mdc', ['agentConfig']],
  ['.mcp.json', ['agentConfig']],
  ['.husky/pre-commit', ['dotDirectories']],
  ['src/.gitattributes', ['gitConfig']],
  ['web/package-lock.json', ['lockfiles']],
  ['.gitignore', []],
  ['src/agents.ts', []],
  ['src/a.ts', []],
])('%s is under %j', (path, expected) => {
  expect(rules(path)).toEqual(expected);
});

test.each(['a<b.txt', 'con', 'src/NUL.txt', 'aux.c', 'LPT1', 'a/b ', 'end.', 'a:b', 'a\\b', 'what?'])(
  'Windows does not take %j',
  (path) => {
    expect(windowsProblem(path)).not.toBeNull();
  },
);
test.each(['console.ts', 'src/auxiliary.c', 'a.b.c', 'ünïcode/日本.txt'])('Windows takes %j', (path) => {
  expect(windowsProblem(path)).toBeNull();
});

test('paths that differ in case or Unicode form alone collide, folders too', () => {
  const all = ['readme.md', 'src/a.ts', 'caf\u00e9.txt'];
  const added = ['README.md', 'SRC/b.ts', 'cafe\u0301.txt', 'src/other.ts'];
  expect(collisions(added, [...all, ...added])).toEqual([
    { path: 'README.md', other: 'readme.md' },
    { path: 'SRC/b.ts', other: 'src' },
    { path: 'cafe\u0301.txt', other: 'caf\u00e9.txt' },
    { path: 'src/other.ts', other: 'SRC' },
  ]);
});

test('a tree without two names that fold alike has no collision', () => {
  const name = fc.stringMatching(/^[a-z]{1,3}$/);
  fc.assert(
    fc.property(fc.uniqueArray(fc.tuple(name, name).map((parts) => parts.join('/'))), (paths) => {
      expect(collisions(paths, paths)).toEqual([]);
      const upper = paths.map((path) => path.toUpperCase());
      expect(collisions(upper, [...paths, ...upper])).toHaveLength(paths.length);
    }),
  );
});
