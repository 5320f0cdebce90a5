import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { BrokeredCredential, EgressPolicy, EgressRule } from '../domain/egress.ts';
import { decide, type Allowed, type EcosystemHosts } from './decide.ts';

const none: EcosystemHosts = new Map();
const npm: EcosystemHosts = new Map([['npm', [{ host: 'registry.example', port: 443 }]]]);
const at = (host: string, port = 443) => ({ host, port });
const open = (host: string, more: Partial<Extract<EgressRule, { host: string }>> = {}): EgressRule => ({
  host,
  ports: [443],
  ...more,
});
const net = (cidr: string, ...ports: number[]): EgressRule => ({
  cidr,
  ports: ports.length === 0 ? [443] : ports,
});
const credential = (host: string, port = 443): BrokeredCredential => ({
  name: 'c',
  host,
  port,
  paths: [],
  placement: { in: 'header', name: 'Authorization', prefix: '' },
  placeholder: 'p',
});

function allowed(
  policy: EgressPolicy,
  target = at('a.example'),
  ecosystems = none,
  credentials: BrokeredCredential[] = [],
): Allowed {
  const verdict = decide(policy, ecosystems, target, credentials);
  if (!verdict.allowed) throw new Error(verdict.reason);
  return verdict;
}

describe('what of a connection is read', () => {
  const contents = (
    rules: EgressRule[],
    more: Omit<EgressPolicy, 'rules'> = {},
    credentials: BrokeredCredential[] = [],
  ) => allowed({ rules, ...more }, at('a.example'), none, credentials).contents;

  test.each<[string, EgressRule[], 'inspect' | 'tunnel']>([
    ['a rule that says nothing', [open('a.example')], 'tunnel'],
    ['a rule that asks for it', [open('a.example', { contents: 'inspect' })], 'inspect'],
    ['a rule with methods', [open('a.example', { methods: ['GET'] })], 'inspect'],
    ['a rule with paths', [open('a.example', { paths: ['/x'] })], 'inspect'],
    ['one of two rules', [open('a.example'), open('*.example', { methods: ['GET'] })], 'inspect'],
    [
      'an explicit tunnel beside it',
      [open('a.example', { methods: ['GET'] }), open('*.example', { contents: 'tunnel' })],
      'tunnel',
    ],
    ['a tunnel that has methods', [open('a.example', { contents: 'tunnel', methods: ['GET'] })], 'inspect'],
    [
      'a rule of another port',
      [open('a.example'), open('a.example', { ports: [8443], methods: ['GET'] })],
      'tunnel',
    ],
    ['a rule of another host', [open('a.example'), open('b.example', { methods: ['GET'] })], 'tunnel'],
  ])('%s', (_, rules, expected) => {
    expect(contents(rules)).toBe(expected);
  });

  test('an ecosystem is read, unless its rule is an explicit tunnel', () => {
    const of = (rule: EgressRule) => allowed({ rules: [rule] }, at('registry.example'), npm).contents;
    expect(of({ ecosystem: 'npm' })).toBe('inspect');
    expect(of({ ecosystem: 'npm', publish: true })).toBe('inspect');
    expect(of({ ecosystem: 'npm', contents: 'tunnel' })).toBe('tunnel');
  });

  test('what gets a credential is read, whatever its rules say', () => {
    const tunnel = [open('a.example', { contents: 'tunnel' })];
    expect(contents(tunnel, {}, [credential('A.example')])).toBe('inspect');
    expect(contents(tunnel, {}, [credential('b.example'), credential('a.example', 8443)])).toBe('tunnel');
  });

  test('what a ceiling limits is read, also where the rule is a tunnel', () => {
    const rules = [open('a.example', { contents: 'tunnel' })];
    expect(contents(rules, { ceilings: [[open('*.example')]] })).toBe('tunnel');
    expect(contents(rules, { ceilings: [[open('*.example')], [open('a.example', { paths: ['/x'] })]] })).toBe(
      'inspect',
    );
    expect(
      contents(rules, {
        ceilings: [[open('a.example', { methods: ['GET'] }), open('*.example', { contents: 'tunnel' })]],
      }),
    ).toBe('tunnel');
    expect(
      allowed(
        { rules: [open('registry.example')], ceilings: [[{ ecosystem: 'npm' }]] },
        at('registry.example'),
        npm,
      ).contents,
    ).toBe('inspect');
  });
});

describe('ways inside', () => {
  const reaches = (policy: EgressPolicy, address: string, target = at('a.example'), ecosystems = none) =>
    allowed(policy, target, ecosystems).internal(address);

  test('a host leads inside only where the configuration says so, on the ports it says', () => {
    expect(reaches({ rules: [open('a.example')] }, '10.0.0.5')).toBe(false);
    expect(reaches({ rules: [open('a.example', { internal: true })] }, '10.0.0.5')).toBe(true);
    expect(reaches({ rules: [open('*.example', { internal: true })] }, 'fd00::5')).toBe(true);
    const other = open('a.example', { internal: true, ports: [8443] });
    expect(reaches({ rules: [open('a.example'), other] }, '10.0.0.5')).toBe(false);
    expect(reaches({ rules: [open('a.example'), open('b.example', { internal: true })] }, '10.0.0.5')).toBe(
      false,
    );
  });

  test('with ceilings, each of them has to say so, and the rule itself need not', () => {
    const plain = [open('a.example')];
    const inside = [open('a.example', { internal: true })];
    expect(reaches({ rules: plain, ceilings: [inside] }, '10.0.0.5')).toBe(true);
    expect(reaches({ rules: plain, ceilings: [inside, plain] }, '10.0.0.5')).toBe(false);
    expect(reaches({ rules: inside, ceilings: [plain] }, '10.0.0.5')).toBe(false);
    expect(reaches({ rules: plain, ceilings: [[...plain, net('10.0.0.0/8')]] }, '10.0.0.5')).toBe(true);
  });

  test('a name that resolves into a configured range is connected to there, on the ports of the range', () => {
    const rules = [open('a.example'), net('10.1.0.0/16')];
    expect(reaches({ rules }, '10.1.2.3')).toBe(true);
    expect(reaches({ rules }, '::ffff:10.1.2.3')).toBe(true);
    expect(reaches({ rules }, '10.2.2.3')).toBe(false);
    expect(reaches({ rules: [open('a.example'), net('10.1.0.0/16', 8443)] }, '10.1.2.3')).toBe(false);
    // The range alone allows no name.
    expect(decide({ rules: [net('0.0.0.0/0')] }, none, at('a.example')).allowed).toBe(false);
  });

  test('the host of an ecosystem is where the worker’s tools say, also on the worker; those of a sandbox never', () => {
    const policy: EgressPolicy = { rules: [{ ecosystem: 'npm' }], ceilings: [[{ ecosystem: 'npm' }]] };
    const target = at('registry.example');
    expect(reaches(policy, '10.0.0.5', target, npm)).toBe(true);
    expect(reaches(policy, '127.0.0.1', target, npm)).toBe(true);
    const asked: EcosystemHosts = new Map([
      ['npm', [{ host: 'registry.example', port: 443, insideSandbox: true }]],
    ]);
    expect(reaches(policy, '10.0.0.5', target, asked)).toBe(true);
    expect(reaches(policy, '127.0.0.1', target, asked)).toBe(false);
    // Only the rules of the run make it one.
    expect(reaches({ rules: [open('registry.example')] }, '10.0.0.5', target, npm)).toBe(false);
  });

  const rulesOfAll = fc.constantFrom<EgressRule[]>(
    [open('a.example', { internal: true })],
    [open('a.example'), net('0.0.0.0/0'), net('::/0')],
    [open('*.example', { internal: true }), net('127.0.0.0/8'), net('169.254.0.0/16'), net('::1/128')],
  );
  const forbidden = fc.constantFrom(
    '127.0.0.1',
    '127.8.9.1',
    '::1',
    '::',
    '0.0.0.0',
    '::ffff:127.0.0.1',
    '2002:7f00:1::',
    '64:ff9b::127.0.0.1',
    '169.254.169.254',
    '::ffff:169.254.169.254',
    '64:ff9b::a9fe:a9fe',
    '2002:a9fe:a9fe::',
    'fd00:ec2::254',
    '168.63.129.16',
    '100.100.100.200',
    '192.0.0.192',
    'fe80::1',
    'ff02::1',
    '224.0.0.1',
    '255.255.255.255',
    'nonsense',
  );
  test('nothing in any configuration opens loopback of the worker or metadata, in whatever spelling', () => {
    fc.assert(
      fc.property(rulesOfAll, fc.boolean(), forbidden, (rules, bounded, address) => {
        expect(reaches({ rules, ...(bounded ? { ceilings: [rules] } : {}) }, address)).toBe(false);
      }),
      { numRuns: 500 },
    );
  });
});

test('an ecosystem without a known host opens nothing, and the refusal says what to do', () => {
  const verdict = decide({ rules: [{ ecosystem: 'maven' }, { ecosystem: 'npm' }] }, npm, at('a.example'));
  expect(verdict).toMatchObject({
    allowed: false,
    reason: expect.stringMatching(
      /no host is known for the ecosystem maven: name its registry or mirror/,
    ) as unknown,
  });
});

describe('addresses', () => {
  const ask = (rules: EgressRule[], host: string, port = 443, more: Omit<EgressPolicy, 'rules'> = {}) =>
    decide({ rules, ...more }, none, at(host, port));

  test('an address is allowed by a range that holds it, and by nothing else', () => {
    expect(ask([net('10.0.0.0/8')], '10.1.2.3')).toMatchObject({
      allowed: true,
      reason: 'cidr 10.0.0.0/8',
      contents: 'tunnel',
    });
    expect(ask([net('10.0.0.0/8')], '::ffff:a01:203').allowed).toBe(true);
    expect(ask([net('10.0.0.0/8')], '11.1.2.3').allowed).toBe(false);
    expect(ask([net('10.0.0.0/8')], '10.1.2.3', 80).allowed).toBe(false);
    expect(ask([open('10.1.2.3'), open('*.2.3')], '10.1.2.3')).toMatchObject({
      allowed: false,
      reason: expect.stringContaining('only names'),
    });
    expect(ask([net('0.0.0.0/0')], '1.1.1.1').allowed).toBe(true);
  });

  test('spellings that resolvers read in their own way are refused, whatever the range', () => {
    for (const odd of ['127.1', '2130706433', '0x7f000001', '0177.0.0.1', '10.1', 'fe80::1%eth0']) {
      expect(ask([net('0.0.0.0/0'), net('::/0')], odd)).toMatchObject({
        allowed: false,
        reason: expect.stringContaining('only names'),
      });
    }
  });

  test('ceilings and deny hold for addresses too', () => {
    const rules = [net('10.0.0.0/8')];
    expect(ask(rules, '10.1.2.3', 443, { ceilings: [[net('10.1.0.0/16')]] }).allowed).toBe(true);
    expect(ask(rules, '10.2.2.3', 443, { ceilings: [[net('10.1.0.0/16')]] }).allowed).toBe(false);
    expect(ask(rules, '10.1.2.3', 443, { ceilings: [[open('*.example')]] }).allowed).toBe(false);
    expect(ask(rules, '10.1.2.3', 443, { deny: ['10.1.2.3'] }).allowed).toBe(false);
    expect(ask(rules, '::ffff:10.1.2.3', 443, { deny: ['10.1.2.3'] }).allowed).toBe(false);
  });
});
