import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseConfig, problemLines } from './index.ts';

const env = { TEAM: 'platform', MY_TOKEN: 'sesame-open-1' };

function problems(text: string): string[] {
  const parsed = parseConfig(text, { env });
  if (parsed.ok) throw new Error('it was taken');
  return problemLines('b.yaml', parsed.problems);
}

function taken(text: string) {
  const parsed = parseConfig(text, { env });
  if (!parsed.ok) throw new Error(problemLines('b.yaml', parsed.problems).join('\n'));
  return parsed;
}

test('an empty file needs its version', () => {
  expect(problems('')).toEqual(['b.yaml:1:1: version is missing; allowed: 1']);
});

test('an unknown key is named with its place and the nearest known one', () => {
  expect(problems('version: 1\nlimits:\n  run:\n    costUSD: 3\n')[0]).toContain(
    'b.yaml:4:5: unknown key "costUSD" (did you mean costUsd?); allowed here: costUsd, tokens',
  );
  expect(problems('version: 1\nprojekts: []\n')[0]).toContain(
    'b.yaml:2:1: unknown key "projekts" (did you mean projects?)',
  );
});

test('a wrong type says what was found and what is needed', () => {
  const text = 'version: 1\nprojects:\n  - name: lib\n    repository: 7\n    priority: high\n';
  expect(problems(text)).toEqual([
    'b.yaml:4:17: projects[0].repository is 7; a text (quote it if it looks like something else) is needed',
    'b.yaml:5:15: projects[0].priority is "high"; a number is needed',
  ]);
});

test('a secret written out is refused without being shown', () => {
  const text = 'version: 1\nmodels:\n  providers:\n    a: { kind: anthropic, apiKey: sk-ant-very-secret }\n';
  const [line] = problems(text);
  expect(line).toContain('models.providers.a.apiKey');
  expect(line).not.toContain('very-secret');
  const url =
    'version: 1\nmodels:\n  providers:\n    a: { kind: openai, baseUrl: "https://u:very-secret@h/v1" }\n';
  expect(problems(url).join()).toContain('without credentials');
  expect(problems(url).join()).not.toContain('very-secret');
});

test('references to secrets stay, those in plain texts are replaced', () => {
  const { config } = taken(
    [
      'version: 1',
      'models: { providers: { a: { kind: anthropic, apiKey: "${env:NOT_SET_HERE}" } } }',
      'projects:',
      '  - { name: lib, repository: "https://git.example.org/${env:TEAM}/lib", description: "$${env:TEAM}" }',
    ].join('\n'),
  );
  expect(config.models.providers['a']?.apiKey).toBe('${env:NOT_SET_HERE}');
  expect(config.projects[0]?.repository).toBe('https://git.example.org/platform/lib');
  expect(config.projects[0]?.description).toBe('${env:TEAM}');
});

test.each([
  ['${env:MY_TOKEN}', 'the variable MY_TOKEN holds a secret'],
  ['${env:NOWHERE}', 'the environment variable NOWHERE is not set'],
  ['${file:/etc/passwd}', 'only secrets are read from files'],
])('%s in a plain text is refused', (reference, sentence) => {
  const text = `version: 1\nprojects:\n  - name: lib\n    repository: /r\n    description: x ${reference}\n`;
  expect(problems(text)).toEqual([expect.stringContaining(`b.yaml:5:18: ${sentence}`)]);
});

test('names that lead nowhere are found', () => {
  const text = [
    'version: 1',
    'models: { slots: { primary: [nobody/model] } }',
    'projects:',
    '  - { name: lib, repository: /r, sandbox: big }',
    '  - { name: lob, repository: /r }',
    'schedules:',
    '  - { name: n, project: gone, task: t, cron: "0 3 1 * * *", timeZone: Mars/Base }',
  ].join('\n');
  const found = problems(text).join('\n');
  expect(found).toContain('b.yaml:2:30: nobody/model names no provider');
  expect(found).toContain('b.yaml:4:43: there is no sandbox profile big');
  expect(found).toContain('lob and lib have the same repository');
  expect(found).toContain('there is no project gone');
  expect(found).toContain('five fields are needed');
  expect(found).toContain('Mars/Base is no time zone');
});

test('duplicate names and duplicate keys are refused', () => {
  expect(
    problems('version: 1\nprojects:\n  - { name: a, repository: /r }\n  - { name: a, repository: /s }\n')[0],
  ).toContain('a is there twice');
  expect(problems('version: 1\nversion: 1\n')[0]).toContain('b.yaml:2:1: this key is there twice');
});

test.each([
  ['a tab', 'version: 1\nprojects:\n\t- name: a\n'],
  ['a merge key', 'version: 1\nlimits: &l\n  run: {}\nmodels:\n  <<: *l\n'],
  [
    'an alias bomb',
    `version: 1\na: &a [x,x]\nb: &b [*a,*a]\n${Array.from(
      { length: 40 },
      (_, at) =>
        `c${at}: &c${at} [${Array(9)
          .fill(at === 0 ? '*b' : `*c${at - 1}`)
          .join(',')}]`,
    ).join('\n')}`,
  ],
  ['a list that holds itself', 'a: &a [*a,*a]'],
  ['a map that holds itself', 'version: 1\na: &a { b: &b [*a, *b, *a] }\n'],
  ['deep nesting', `version: ${'['.repeat(20_000)}`],
  ['nested lists', `version: ${'- '.repeat(100_000)}`],
  ['deep closed nesting', `version: ${'['.repeat(5_000)}${']'.repeat(5_000)}`],
  ['a huge file', `version: 1\n# ${'x'.repeat(1_100_000)}`],
  ['two documents', 'version: 1\n---\nversion: 1\n'],
  ['a tag', 'version: !!binary aGVsbG8=\n'],
  ['a NUL', 'version: 1\nprojects:\n  - { name: a, repository: "/r\\0" }\n'],
  ['not a number', 'version: 1\nlimits: { run: { costUsd: .nan } }\n'],
  ['infinity', 'version: 1\nlimits: { run: { costUsd: .inf } }\n'],
  ['a prototype', 'version: 1\n__proto__: { projects: [] }\n'],
  ['a list for a key', 'version: 1\n? [a, b]\n: c\n'],
  ['a list instead of a map', '- version: 1\n'],
])('%s is refused with a place', (_, text) => {
  for (const line of problems(text)) expect(line).toMatch(/^b\.yaml:\d+:\d+: \S/);
});

test('a byte order mark is no harm', () => {
  expect(taken('\uFEFFversion: 1\n').config.version).toBe(1);
});

test('hostile text never throws, and every problem has a place', () => {
  const piece = fc.oneof(
    fc.string(),
    fc.constantFrom(
      'version: 1\n',
      'projects:\n',
      '  - name: a\n',
      '&a ',
      '*a',
      '<<: ',
      '\t',
      '{',
      '[',
      '"',
      '!!str ',
      '- ',
      '? ',
      ': ',
      '|\n',
      '${env:TEAM}',
      '\0',
      '\uD800',
    ),
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 30 }), (pieces) => {
      const parsed = parseConfig(pieces.join(''), { env });
      if (parsed.ok) return;
      expect(parsed.problems.length).toBeGreaterThan(0);
      for (const { line, column, sentence } of parsed.problems) {
        expect(line).toBeGreaterThan(0);
        expect(column).toBeGreaterThan(0);
        expect(sentence).not.toBe('');
      }
    }),
    { numRuns: 500 },
  );
});

test('any JSON at any place never throws', () => {
  const key = fc.constantFrom(
    'version',
    'projects',
    'models',
    'limits',
    'egress',
    'signIn',
    'people',
    'providers',
    'name',
    'allow',
    'x',
  );
  const { tree } = fc.letrec((tie) => ({
    tree: fc.oneof(
      { maxDepth: 5 },
      fc.jsonValue(),
      fc.dictionary(key, tie('tree')),
      fc.array(tie('tree'), { maxLength: 4 }),
    ),
  }));
  fc.assert(
    fc.property(tree, (value) => {
      parseConfig(JSON.stringify(value), { env });
    }),
    { numRuns: 200 },
  );
});
