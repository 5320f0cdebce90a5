import { expect, test } from 'vitest';
import { blueprintSchema } from '../../domain/blueprint.ts';
import { configSchema, type ConfigRevision } from '../../domain/config/index.ts';
import type { EgressRule } from '../../domain/egress.ts';
import { defaultSandboxLimits } from '../../sandboxes/default-limits.ts';
import { changingConfig } from '../../testing/changing-config.ts';
import {
  assertSandbox,
  assertWithinCeilings,
  egressBounds,
  givenEgress,
  profileLimits,
  settingsOfRepository,
} from './settings.ts';

const revision = (number: number, given: object): ConfigRevision => ({
  number,
  config: configSchema.parse({ version: 1, ...given }),
  sources: {},
});
const lib = { name: 'lib', repository: '/srv/lib' };
const blueprint = (...egress: EgressRule[]) =>
  blueprintSchema.parse({ version: 1, setup: [{ run: 'true', egress }] });

test('a rule outside is refused with a code that names rule and ceiling', () => {
  const installation = revision(1, {
    egress: { allow: [{ host: '*.example.org' }, { ecosystem: 'npm' }], deny: ['bad.example.org'] },
    projects: [{ ...lib, egress: [{ host: 'one.example.org' }] }],
  });
  const own = settingsOfRepository(installation, '/srv/lib');
  const other = settingsOfRepository(installation, '/srv/other');
  const open = (host: string): EgressRule => ({ host, ports: [443] });
  assertWithinCeilings(blueprint(open('one.example.org')), own);
  assertWithinCeilings(blueprint(open('two.example.org'), { ecosystem: 'npm' }), other);
  const refusal = (settings: typeof own, rule: EgressRule): string => {
    try {
      assertWithinCeilings(blueprint(rule), settings);
    } catch (error) {
      return String(error);
    }
    return 'allowed';
  };
  expect(refusal(other, open('far.example.com'))).toContain(
    'setup 1 opens far.example.com, but egress.allow of the configuration allows only: *.example.org, the ecosystem npm',
  );
  expect(refusal(own, open('two.example.org'))).toContain(
    'egress of the project lib of the configuration allows only: one.example.org',
  );
  expect(refusal(other, open('bad.example.org'))).toContain(
    'egress.deny of the configuration has bad.example.org',
  );
  expect(refusal(other, { host: 'a.example.org', ports: [22] })).toContain('a.example.org:22');
  expect(refusal(other, { ecosystem: 'pip' })).toContain('the ecosystem pip');
  expect(
    refusal(settingsOfRepository(revision(1, { egress: { allow: [] } }), '/x'), open('a.example.org')),
  ).toContain('allows only: nothing');
});

test('the bounds of a run are those it pinned, cut by those of now', () => {
  const first = revision(1, { egress: { allow: [{ host: '*.example.org' }] } });
  const config = changingConfig(first);
  const bounds = egressBounds(config, settingsOfRepository(first, '/srv/lib'), '/srv/lib');
  let told = 0;
  const stop = bounds.onChange(() => (told += 1));
  expect(bounds.current()).toMatchObject({ ceilings: [first.config.egress.allow], deny: [] });
  const second = revision(2, { egress: { deny: ['bad.example.org'] }, projects: [{ ...lib, egress: [] }] });
  config.set(second);
  expect(told).toBe(1);
  expect(bounds.current()).toMatchObject({
    ceilings: [first.config.egress.allow, []],
    deny: ['bad.example.org'],
  });
  stop();
  config.set(first);
  expect(told).toBe(1);
});

test('a profile sets the limits of the sandbox, and what it asks for is there or refused', () => {
  const settings = (given: object) => settingsOfRepository(revision(1, given), '/srv/lib');
  const profile = { name: 'big', memoryMiB: 512, diskMiB: 1_024, cpus: 0.5 };
  const big = settings({ sandboxes: [profile], projects: [{ ...lib, sandbox: 'big' }] });
  const standard = defaultSandboxLimits();
  expect(profileLimits(big, standard)).toEqual({
    ...standard,
    memoryBytes: 512 * 1024 ** 2,
    diskBytes: 1024 ** 3,
    cpus: 0.5,
  });
  expect(profileLimits(settings({}), standard)).toEqual(standard);
  const driver = { name: 'bubblewrap' } as const;
  assertSandbox(big, driver);
  expect(() => assertSandbox(settings({ projects: [{ ...lib, sandbox: 'gone' }] }), driver)).toThrow(
    'the sandbox profile gone',
  );
  const other = settings({
    sandboxes: [{ ...profile, driver: 'kubernetes' }],
    projects: [{ ...lib, sandbox: 'big' }],
  });
  expect(() => assertSandbox(other, driver)).toThrow(
    'asks for the driver kubernetes; this worker has bubblewrap',
  );
});

test('what a project gives to its steps is within the ceilings, and is taken back as soon as it is not given any more', () => {
  const give = (agent: object[]) => ({ projects: [{ ...lib, egressFor: { agent } }] });
  const first = revision(1, give([{ host: 'a.example.org' }, { host: 'b.example.org' }]));
  const pinned = settingsOfRepository(first, '/srv/lib');
  expect(() => assertWithinCeilings(blueprint(), pinned)).not.toThrow();
  const bounded = revision(2, {
    egress: { allow: [{ host: 'a.example.org' }] },
    ...give([{ host: 'b.example.org', internal: true }]),
  });
  expect(() => assertWithinCeilings(blueprint(), settingsOfRepository(bounded, '/srv/lib'))).toThrow(
    'egressFor.agent of the project lib opens b.example.org, but egress.allow of the configuration',
  );
  const config = changingConfig(first);
  const given = givenEgress(config, pinned, '/srv/lib');
  expect(given().agent).toHaveLength(2);
  config.set(revision(2, give([{ host: '*.example.org', methods: ['GET'] }, { host: 'b.example.org' }])));
  expect(given().agent).toEqual([{ host: 'b.example.org', ports: [443] }]);
  config.set(revision(3, {}));
  expect(given()).toEqual({ setup: [], agent: [], check: [], verify: [] });
});
