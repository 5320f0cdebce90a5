import * as fc from 'fast-check';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { needsModel } from '../domain/blueprint.ts';
import { BerthError } from '../domain/errors/index.ts';
import { parseBlueprint } from './parse.ts';
import { cpuMs } from '../testing/cpu-time.ts';

const refusal = (text: string): string => {
  try {
    parseBlueprint(text, 'b.yaml');
  } catch (error) {
    if (error instanceof BerthError && error.code === 'BLUEPRINT_INVALID') return error.message;
    throw error;
  }
  return 'accepted';
};

test('a short blueprint gets the default steps', () => {
  const blueprint = parseBlueprint(
    'version: 1\nchecks:\n  - {name: test, kind: test, run: npm test}\n',
    'b.yaml',
  );
  expect(blueprint.steps.map((step) => step.step)).toEqual([
    'prefetch',
    'setup',
    'agent',
    'check',
    'verify',
    'propose',
  ]);
  expect(blueprint.checks[0]).toMatchObject({ cwd: '.', timeoutMinutes: 10, egress: [] });
});

test.each(['node-library.yaml', 'format-only.yaml'])('the example %s is valid', (name) => {
  const path = join(import.meta.dirname, '../../../../examples/blueprints', name);
  const blueprint = parseBlueprint(readFileSync(path, 'utf8'), name);
  expect(needsModel(blueprint)).toBe(name !== 'format-only.yaml');
});

test.each([
  [
    'an unknown key',
    'version: 1\nchekcs: []\n',
    /^b\.yaml:2:1: unknown key "chekcs" \(did you mean "checks"\?\); allowed/,
  ],
  [
    'a nested unknown key',
    'version: 1\nchecks:\n  - name: a\n    kind: test\n    rnu: x\n    run: y\n',
    /b\.yaml:5:5: unknown key "rnu" \(did you mean "run"\?\); allowed in checks\[0\]/,
  ],
  ['a wrong type', 'version: 1\nsetup:\n  - run: 5\n', /^b\.yaml:3:10: setup\[0\]\.run is 5; a text/],
  [
    'a missing key',
    'version: 1\nchecks:\n  - kind: test\n    run: x\n',
    /^b\.yaml:3:5: checks\[0\]\.name is missing/,
  ],
  [
    'a wrong kind',
    'version: 1\nchecks:\n  - {name: a, kind: tset, run: x}\n',
    /^b\.yaml:3:21: checks\[0\]\.kind is "tset"; allowed: "format", "lint", "test", "build"/,
  ],
  ['another version', 'version: 2\n', /^b\.yaml:1:10: version is 2; allowed: 1/],
  [
    'an unknown step',
    'version: 1\nsteps:\n  - setup\n  - deploy\n',
    /^b\.yaml:4:5: steps\[1\].* allowed steps: prefetch, setup, agent/,
  ],
  ['a list at the top', '- 1\n', /^b\.yaml:1:1: the blueprint is a list of 1; a map is needed/],
  ['nothing at all', '', /^b\.yaml:1:1: /],
  ['a duplicate key', 'version: 1\nversion: 1\n', /^b\.yaml:2:1: .*unique/],
  ['a tab', 'version: 1\nsetup:\n\t- run: x\n', /^b\.yaml:3:/],
  ['broken YAML', 'version: [1\n', /^b\.yaml:\d+:\d+: /],
  ['two documents', 'version: 1\n---\nversion: 1\n', /^b\.yaml:\d+:\d+: .*documents/],
  ['an unknown tag', 'version: !!js/function 1\n', /^b\.yaml:1:10: /],
  [
    'a limit out of range',
    'version: 1\nlimits:\n  rounds: 9\n',
    /^b\.yaml:3:11: limits\.rounds is 9; at most 2/,
  ],
  [
    'a bare star host',
    "version: 1\nsetup:\n  - run: x\n    egress: [{host: '*'}]\n",
    /^b\.yaml:4:21: setup\[0\]\.egress\[0\]\.host is "\*"; needed: a host name, or \*\.name/,
  ],
  [
    'an unknown check in only',
    'version: 1\nchecks: [{name: a, kind: test, run: x}]\nsteps:\n  - agent\n  - step: check\n    only: [a, b]\n',
    /^b\.yaml:6:15: there is no check "b"; known: a/,
  ],
  [
    'two checks of one name',
    'version: 1\nchecks:\n  - {name: a, kind: test, run: x}\n  - {name: a, kind: lint, run: y}\n',
    /^b\.yaml:4:12: there are two checks named "a"/,
  ],
  ['setup after check', 'version: 1\nsteps: [check, setup]\n', /^b\.yaml:1?2:16: setup stands after check/],
  [
    'something after propose',
    'version: 1\nsteps:\n  - verify\n  - propose\n  - check\n',
    /^b\.yaml:5:5: step "check" stands after propose/,
  ],
  [
    'propose without verify',
    'version: 1\nsteps:\n  - agent\n  - propose\n',
    /^b\.yaml:4:5: propose needs a verify step/,
  ],
  [
    'work after verify',
    'version: 1\nsteps: [verify, agent]\n',
    /^b\.yaml:2:17: step "agent" stands after verify/,
  ],
  ['a second verify', 'version: 1\nsteps: [verify, verify]\n', /stands twice/],
  ['a judge without an agent', 'version: 1\nsteps: [judge]\n', /judge needs an agent/],
  [
    'setup commands without their step',
    'version: 1\nsetup: [{run: x}]\nsteps: [check]\n',
    /^b\.yaml:2:1: setup commands are given/,
  ],
  [
    'a directory outside',
    'version: 1\nsetup:\n  - run: x\n    cwd: ../y\n',
    /^b\.yaml:4:10: cwd is "\.\.\/y"/,
  ],
  ['pathspec magic', "version: 1\nprotectedPaths: [':(exclude)*']\n", /^b\.yaml:2:18: /],
])('%s is refused with its place', (_what, text, message) => {
  expect(refusal(text)).toMatch(message);
});

test('several problems are named in the order of the file', () => {
  const message = refusal('version: 1\nfoo: 1\nbar: 2\nlimits: {rounds: 7}\n');
  expect(message.split('\n').map((line) => line.slice(0, 9))).toEqual([
    'b.yaml:2:',
    'b.yaml:3:',
    'b.yaml:4:',
  ]);
});

test('huge files, alias bombs and deep nesting are refused quickly', () => {
  const took = cpuMs(() => {
    expect(refusal(`version: 1\n# ${'x'.repeat(300_000)}`)).toMatch(/at most 262144 are allowed/);
    const bomb = [
      'a0: &a0 [x, x]',
      ...Array.from({ length: 40 }, (_, n) => `a${n + 1}: &a${n + 1} [*a${n}, *a${n}]`),
    ];
    expect(refusal(bomb.join('\n'))).toMatch(/^b\.yaml:/);
    expect(refusal(`version: ${'['.repeat(100_000)}`)).toMatch(/^b\.yaml:/);
    expect(refusal('version: &v 1\nsetup: [*v, *v]\nsteps: &s [*s]\n')).toMatch(/^b\.yaml:/);
  });
  expect(took).toBeLessThan(10_000);
});

test('control characters of the file are shown, not printed', () => {
  expect(refusal('version: 1\n"a\\e[31mb": 1\n')).not.toContain('\u001B');
});

test('any text: a blueprint or a refusal with a place, never another error', () => {
  const word = fc.constantFrom(
    'version',
    'steps',
    'checks',
    'run',
    ':',
    '- ',
    '\n',
    '  ',
    '{',
    '}',
    '[',
    ']',
    '1',
    '&a',
    '*a',
    '<<',
    '!!',
    '"',
    "'",
    '|',
    '>',
    '#',
    '__proto__',
  );
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string({ unit: 'binary' }),
        fc.array(word).map((words) => words.join('')),
      ),
      (text) => {
        const message = refusal(text);
        expect(message === 'accepted' || /^b\.yaml:\d+:\d+: \S/.test(message)).toBe(true);
      },
    ),
    { numRuns: 500 },
  );
});
