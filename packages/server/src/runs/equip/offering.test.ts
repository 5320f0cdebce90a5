import { expect, test } from 'vitest';
import { configSchema } from '../../domain/config/index.ts';
import type { Finding } from '../../git/finding.ts';
import { policyFindings } from './finding-sentences.ts';
import { coAuthorsOf } from './offering.ts';

test('a requester is named as co-author only by an address that the configuration has', () => {
  const config = configSchema.parse({
    version: 1,
    people: [
      { id: 'ada@example.com', name: 'Ada', email: 'ada@users.noreply.example.com' },
      { id: 'bob@example.com' },
      { id: 'eve@example.com', email: 'eve@example.com', disabled: true },
    ],
  });
  expect(
    coAuthorsOf(config, ['Ada@example.com', 'bob@example.com', 'eve@example.com', 'service:ci']),
  ).toEqual([{ name: 'Ada', email: 'ada@users.noreply.example.com' }]);
});

test('findings are told in one sentence for each rule and severity, the gravest first', () => {
  const path = { kind: 'protected-path', pattern: 'x' } as const;
  const findings: Finding[] = [
    { ...path, policy: 'lockfiles', severity: 'note', path: 'a.lock' },
    { ...path, policy: 'ci', severity: 'person', path: '.github/workflows/a.yml' },
    { ...path, policy: 'always', severity: 'refuse', path: '.berth/blueprint.yaml' },
    {
      kind: 'secret',
      policy: 'always',
      severity: 'refuse',
      path: 'k.txt',
      line: 2,
      rule: 'known secret',
      fingerprint: '0',
    },
    { ...path, policy: 'ci', severity: 'person', path: '.github/workflows/b.yml' },
    { kind: 'file', policy: 'windowsNames', severity: 'person', path: 'aux.c', line: null, why: 'a device' },
  ];
  expect(
    policyFindings(findings).map(({ severity, code, sentence }) => `${severity} ${code} ${sentence}`),
  ).toEqual([
    'refuse PROPOSAL_PROTECTED_PATH the change touches protected paths: .berth/blueprint.yaml',
    'refuse PROPOSAL_SECRET_FOUND the change holds what looks like a secret in k.txt:2 (known secret)',
    'person PROPOSAL_PROTECTED_PATH the change touches protected paths: .github/workflows/a.yml, .github/workflows/b.yml',
    'person PROPOSAL_POLICY the change holds file names that Windows does not take: aux.c (a device)',
    'note PROPOSAL_PROTECTED_PATH the change touches lockfiles: a.lock',
  ]);
});
