import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { briefing } from './briefing.ts';
import { delimited } from './delimited.ts';
import { directoriesOf } from './directories.ts';
import { repositoryMap } from './repository-map.ts';
import { systemPrompt } from './system-prompt.ts';

test('the directories of a path are its ancestors inside the repository, without the root', () => {
  expect(directoriesOf('a/b/c.ts')).toEqual(['a', 'a/b']);
  expect(directoriesOf('/workspace/repo/a/b/c.ts')).toEqual(['a', 'a/b']);
  expect(directoriesOf('a/b/.')).toEqual(['a', 'a/b']);
  expect(directoriesOf('./x/../a/c.ts')).toEqual(['a']);
  for (const outside of ['c.ts', './.', '../x/y.ts', '/etc/x/passwd', 'a/../../z/q']) {
    expect(directoriesOf(outside)).toEqual([]);
  }
});

test('the map is bounded, deterministic, and goes as deep as it fits', () => {
  const paths = Array.from({ length: 20_000 }, (_, n) => `pkg${n % 50}/src/mod${n % 7}/file${n}.ts`);
  const map = repositoryMap(paths);
  expect(map).toBe(repositoryMap(paths.toReversed()));
  expect(map.split('\n').length).toBeLessThanOrEqual(151);
  expect(map).toContain('pkg0/ (400)');
  expect(repositoryMap(['a/b/c.ts', 'x.md'])).toBe('a/ (1)\n  b/ (1)\n    c.ts\nx.md');
  expect(repositoryMap([])).toBe('');
  expect(repositoryMap(['bad\n\u202Ename/x'])).toBe('bad\\n\\u{202e}name/ (1)\n  x');
});

test('the briefing has the task first, then rules, then the rest, all delimited', () => {
  const brief = {
    task: 'Fix it.',
    items: [
      { kind: 'file' as const, path: 'a.ts', text: 'let a;', provenance: 'base' },
      { kind: 'rules' as const, path: 'AGENTS.md', text: 'Use tabs.', provenance: 'base' },
    ],
    map: 'src/ (2)',
  };
  const text = briefing(brief);
  expect(text).toBe(briefing(structuredClone(brief)));
  const places = ['Fix it.', 'Use tabs.', 'let a;', 'src/ (2)'].map((part) => text.indexOf(part));
  expect(places).toEqual([...places].sort((one, other) => one - other));
  expect(places.every((place) => place > 0)).toBe(true);
});

test('the system prompt is the same for every run', () => {
  expect(systemPrompt('/workspace/repo')).toBe(systemPrompt('/workspace/repo'));
  expect(systemPrompt('/workspace/repo')).not.toMatch(/\d{4}-\d\d-\d\d/);
});

test('property: the closing line of a delimited text stands once, at its end, whatever the text', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' }), (path, text) => {
      const whole = delimited('file', { path }, text);
      const mark = /^<(file-[0-9a-f]{12})[ >]/.exec(whole)![1]!;
      expect(whole.indexOf(`</${mark}>`)).toBe(whole.length - mark.length - 3);
      // A text that quotes the whole of it gets another mark.
      expect(delimited('file', { path }, whole).startsWith(`<${mark}`)).toBe(false);
    }),
  );
});
