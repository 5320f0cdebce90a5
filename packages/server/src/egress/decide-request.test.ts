import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { EgressPolicy, EgressRule } from '../domain/egress.ts';
import { decide, decideRequest, overridesLine, type EcosystemHosts, type RequestLine } from './decide.ts';

const npm: EcosystemHosts = new Map([['npm', [{ host: 'registry.example', port: 443 }]]]);
type HostRule = Extract<EgressRule, { host: string }>;
const open = (more: Partial<HostRule> = {}, host = 'a.example'): HostRule => ({
  host,
  ports: [443],
  ...more,
});
const ask = (policy: EgressPolicy, method: string, path: string, host = 'a.example', upgrade = false) =>
  decideRequest(policy, npm, { host, port: 443 }, { method, path, upgrade });
const passes = (policy: EgressPolicy, method: string, path: string, host?: string) =>
  ask(policy, method, path, host).allowed;

test('a connection that is not allowed has no request that is', () => {
  expect(ask({ rules: [] }, 'GET', '/')).toMatchObject({ allowed: false });
  expect(ask({ rules: [open()], deny: ['a.example'] }, 'GET', '/').reason).toContain(
    'denied by the configuration',
  );
});

describe('methods', () => {
  const policy = { rules: [open({ methods: ['GET', 'POST'] })] };
  test('only those of the rule pass, spelled as they are', () => {
    expect(
      ['GET', 'POST', 'HEAD', 'DELETE', 'get', 'LOCK', ''].map((method) => passes(policy, method, '/')),
    ).toEqual([true, true, false, false, false, false, false]);
    expect(ask(policy, 'DELETE', '/').reason).toBe(
      'a.example:443: the method DELETE is not allowed (allowed: GET, POST)',
    );
  });
  test('a rule without methods lets all pass but those that are never passed on', () => {
    expect(
      ['GET', 'DELETE', 'REPORT', 'CONNECT', 'TRACE', 'A B', 'x'.repeat(41)].map((method) =>
        passes({ rules: [open()] }, method, '/'),
      ),
    ).toEqual([true, true, true, false, false, false, false]);
  });
  test('one of several rules is enough, and method and path have to be of the same', () => {
    const rules = [open({ methods: ['GET'], paths: ['/a'] }), open({ methods: ['POST'], paths: ['/b'] })];
    expect(passes({ rules }, 'GET', '/a')).toBe(true);
    expect(passes({ rules }, 'POST', '/b')).toBe(true);
    expect(passes({ rules }, 'POST', '/a')).toBe(false);
    expect(passes({ rules }, 'GET', '/b')).toBe(false);
  });
});

describe('paths', () => {
  const policy = { rules: [open({ paths: ['/api/v1', '/files/'] })] };
  test.each([
    ['/api/v1', true],
    ['/api/v1/', true],
    ['/api/v1/x/y?q=/../..', true],
    ['/api/%76%31/x', true],
    ['/files/x', true],
    ['/files', false],
    ['/api/v10', false],
    ['/api', false],
    ['/', false],
    ['/API/v1', false],
    ['/api/v1/../v2', false],
    ['/api/v1/%2e%2e/v2', false],
    ['/api/v1/..%2fv2', false],
    ['/api/v1/..;/v2', false],
    ['//api/v1', false],
    ['/api/v1\\..\\v2', false],
    ['/api/v1/%252e%252e/v2', false],
    ['*', false],
    ['http://a.example/api/v1', false],
  ])('%s passes: %s', (path, expected) => {
    expect(passes(policy, 'GET', path)).toBe(expected);
  });
  test('a path that can be read in two ways passes only where paths do not count', () => {
    expect(passes({ rules: [open({ methods: ['GET'] })] }, 'GET', '/@scope%2fname')).toBe(true);
    expect(ask(policy, 'GET', '/api/v1/@scope%2fname').reason).toContain('more than one way');
  });
  test('a prefix that is not plain itself covers nothing', () => {
    expect(passes({ rules: [open({ paths: ['/a/..'] })] }, 'GET', '/a/..')).toBe(false);
    expect(passes({ rules: [open({ paths: ['/a//'] })] }, 'GET', '/')).toBe(false);
  });
  test('a reason never holds the query', () => {
    expect(ask(policy, 'GET', '/x?token=s3cret').reason).not.toContain('s3cret');
  });
});

test('ecosystems are read only, unless their rule publishes', () => {
  const of = (rule: EgressRule, method: string) =>
    passes({ rules: [rule] }, method, '/@scope%2fname', 'registry.example');
  expect(
    ['GET', 'HEAD', 'PUT', 'POST', 'DELETE', 'OPTIONS'].map((method) => of({ ecosystem: 'npm' }, method)),
  ).toEqual([true, true, false, false, false, false]);
  expect(of({ ecosystem: 'npm', publish: true }, 'PUT')).toBe(true);
  expect(of({ ecosystem: 'npm', contents: 'tunnel' }, 'PUT')).toBe(false);
  expect(
    passes({ rules: [{ ecosystem: 'npm' }, open({}, 'registry.example')] }, 'PUT', '/', 'registry.example'),
  ).toBe(true);
});

test('protocols are not switched where methods or paths count', () => {
  const upgrade = (rules: EgressRule[], host = 'a.example') =>
    ask({ rules }, 'GET', '/x', host, true).allowed;
  expect(upgrade([open()])).toBe(true);
  expect(upgrade([open({ methods: ['GET'] })])).toBe(false);
  expect(upgrade([open({ paths: ['/x'] })])).toBe(false);
  expect(upgrade([{ ecosystem: 'npm' }], 'registry.example')).toBe(false);
});

test('headers that name another method or path are refused where these count', () => {
  expect(overridesLine(['Host', 'X-HTTP-Method-Override'])).toBe(true);
  expect(overridesLine(['x_original_url'])).toBe(true);
  expect(overridesLine(['host', 'x-method'])).toBe(false);
  const target = { host: 'a.example', port: 443 };
  const line = { method: 'GET', path: '/x', overrides: true };
  const passed = (rule: EgressRule) => decideRequest({ rules: [rule] }, npm, target, line).allowed;
  expect(passed(open())).toBe(true);
  expect(passed(open({ methods: ['GET'] }))).toBe(false);
  expect(passed(open({ paths: ['/x'] }))).toBe(false);
});

test('every ceiling has to let the request pass, too', () => {
  const rules = [open()];
  const ceilings = [
    [open({ methods: ['GET', 'POST'] })],
    [open({ paths: ['/a'] }), open({ methods: ['HEAD'] })],
  ];
  expect(passes({ rules, ceilings }, 'GET', '/a/b')).toBe(true);
  expect(passes({ rules, ceilings }, 'GET', '/b')).toBe(false);
  expect(passes({ rules, ceilings }, 'DELETE', '/a')).toBe(false);
  expect(passes({ rules, ceilings }, 'HEAD', '/b')).toBe(false);
  expect(ask({ rules, ceilings }, 'GET', '/b').reason).toContain('not within what the configuration allows');
  // A rule of another host in the ceiling is no help.
  expect(passes({ rules, ceilings: [[open({ methods: ['GET'] }), open({}, 'b.example')]] }, 'PUT', '/')).toBe(
    false,
  );
});

const anyRule: fc.Arbitrary<EgressRule> = fc
  .record(
    {
      methods: fc.constantFrom<HostRule['methods']>(['GET'], ['POST'], ['GET', 'POST']),
      paths: fc.constantFrom<HostRule['paths']>(['/a'], ['/a/b'], ['/b', '/a']),
      contents: fc.constantFrom<'inspect' | 'tunnel'>('inspect', 'tunnel'),
    },
    { requiredKeys: [] },
  )
  .map((more) => open(more));
const list = fc.array(anyRule, { minLength: 1, maxLength: 3 });
const line: fc.Arbitrary<RequestLine> = fc.record({
  method: fc.constantFrom('GET', 'POST', 'PUT'),
  path: fc.constantFrom('/', '/a', '/a/b', '/ab', '/b', '/a/../c', '/a%2fb'),
});

test('a ceiling never adds a request, and what is tunnelled is what no rule or ceiling limits', () => {
  const target = { host: 'a.example', port: 443 };
  fc.assert(
    fc.property(list, fc.array(list, { maxLength: 2 }), line, (rules, ceilings, request) => {
      const bounded = decideRequest({ rules, ceilings }, npm, target, request).allowed;
      const free = decideRequest({ rules }, npm, target, request).allowed;
      expect(bounded && !free).toBe(false);
      const each = ceilings.every(
        (ceiling) => decideRequest({ rules: ceiling }, npm, target, request).allowed,
      );
      expect(bounded).toBe(free && each);
      const verdict = decide({ rules, ceilings }, npm, target);
      if (verdict.allowed && verdict.contents === 'tunnel') expect(bounded).toBe(true);
    }),
    { numRuns: 3_000 },
  );
});
