import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { namedIn } from './prefetch.ts';

const paths = ['README.md', 'src/date.ts', 'src/date.test.ts', 'Makefile', 'docs/a b.md', '.github/ci.yml'];

test.each([
  ['Fix src/date.ts', ['src/date.ts']],
  ['See `src/date.ts`, "src/date.test.ts": both fail.', ['src/date.ts', 'src/date.test.ts']],
  ['Mend ./src/date.ts.', ['src/date.ts']],
  ['(README.md)', ['README.md']],
  ['The date in src is wrong', []],
  ['Look at date.ts', []],
  // A word without a dot is a word more often than a file.
  ['Change the Makefile', []],
  ['../src/date.ts and /src/date.ts are other files', []],
  ['.github/ci.yml', ['.github/ci.yml']],
])('%s', (task, named) => {
  expect(namedIn(task, paths)).toEqual(named);
});

test('a task that names everything gets the first five', () => {
  const many = Array.from({ length: 20 }, (_, index) => `src/file-${index}.ts`);
  expect(namedIn(many.join(' '), many)).toEqual(many.slice(0, 5));
});

test('whatever a task says, only files of the repository are named, each once', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), fc.subarray(paths), (noise, some) => {
      const named = namedIn(`${noise} ${some.join('\n')}`, paths);
      expect(named.every((path) => paths.includes(path))).toBe(true);
      expect(new Set(named).size).toBe(named.length);
    }),
  );
});
