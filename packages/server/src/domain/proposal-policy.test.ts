import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { configSchema } from './config/index.ts';
import {
  configuredPolicy,
  defaultProposalPolicy,
  policyActions,
  policyRules,
  type ProposalPolicyConfig,
  strictest,
  tightened,
} from './proposal-policy.ts';
import { projectSettings } from './settings.ts';

const layer: fc.Arbitrary<ProposalPolicyConfig> = fc.record(
  {
    rules: fc.dictionary(fc.constantFrom(...policyRules), fc.constantFrom(...policyActions)),
    maxFiles: fc.integer({ min: 1, max: 5_000 }),
    maxMiB: fc.integer({ min: 1, max: 100 }),
  },
  { requiredKeys: ['rules'] },
);
const rank = (action: (typeof policyActions)[number]): number => policyActions.indexOf(action);

test('a blueprint can only be stricter, whatever it says', () => {
  fc.assert(
    fc.property(layer, layer, (configured, blueprint) => {
      const before = configuredPolicy(configured);
      const after = tightened(before, blueprint);
      for (const rule of policyRules) {
        expect(rank(after.rules[rule])).toBeGreaterThanOrEqual(rank(before.rules[rule]));
        expect(rank(after.rules[rule])).toBeGreaterThanOrEqual(rank(blueprint.rules[rule] ?? 'allow'));
      }
      expect(after.maxFiles).toBeLessThanOrEqual(before.maxFiles);
      expect(after.maxBytes).toBeLessThanOrEqual(before.maxBytes);
      expect(strictest(after, before)).toEqual(after);
    }),
  );
});

test('an empty word changes nothing', () => {
  expect(configuredPolicy(undefined, { rules: {} })).toEqual(defaultProposalPolicy);
  expect(tightened(defaultProposalPolicy, { rules: {} })).toEqual(defaultProposalPolicy);
});

test('a project’s word counts instead of the installation’s, also where it is milder', () => {
  const config = configSchema.parse({
    version: 1,
    proposals: { policy: { rules: { binary: 'block', ci: 'block' }, maxFiles: 10 }, labels: ['berth'] },
    projects: [
      {
        name: 'web',
        repository: '/srv/web',
        proposals: { policy: { rules: { binary: 'allow' } }, labels: [] },
      },
    ],
  });
  const { proposals } = projectSettings(config, 1, 'web');
  expect(proposals.policy.rules).toMatchObject({ binary: 'allow', ci: 'block', secrets: 'block' });
  expect(proposals).toMatchObject({ labels: [], judgeMaxUsd: 1, policy: { maxFiles: 10 } });
  expect(projectSettings(config, 1, 'other').proposals.labels).toEqual(['berth']);
});
