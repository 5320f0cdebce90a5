import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import type { BrokeredCredential } from '../domain/egress.ts';
import { credentialFor } from './credential-for.ts';

const credential = (name: string, more: Partial<BrokeredCredential> = {}): BrokeredCredential => ({
  name,
  host: 'api.example',
  port: 443,
  paths: [],
  placement: { in: 'header', name: 'Authorization', prefix: 'Bearer ' },
  placeholder: `placeholder-${name}`,
  ...more,
});
const ask = (credentials: BrokeredCredential[], path = '/', host = 'api.example', port = 443) => {
  const choice = credentialFor(credentials, { host, port }, { path });
  return choice.kind === 'use' ? choice.credential.name : choice.kind;
};

test('a credential is for its host and port and no other', () => {
  const all = [credential('a')];
  expect(ask(all)).toBe('a');
  expect(ask([credential('a', { host: 'API.example' })])).toBe('a');
  for (const host of ['example', 'x.api.example', 'api.example.evil', 'api-example', 'xapi.example']) {
    expect(ask(all, '/', host)).toBe('none');
  }
  expect(ask(all, '/', 'api.example', 80)).toBe('none');
  expect(ask([])).toBe('none');
});

test('a credential with paths is for these and below', () => {
  const all = [credential('a', { paths: ['/v1', '/v2/x'] })];
  expect(['/v1', '/v1/y?z', '/v2/x/y'].map((path) => ask(all, path))).toEqual(['a', 'a', 'a']);
  expect(['/', '/v10', '/v2', '/V1'].map((path) => ask(all, path))).toEqual(['none', 'none', 'none', 'none']);
});

test('a path that can be read in two ways is refused where paths tell credentials apart', () => {
  for (const path of ['/v1/../v2', '/v1/%2e%2e/v2', '/v1/..%2f', '//v1', '/v1;x', 'v1', '/v1/%252e%252e']) {
    expect(ask([credential('a', { paths: ['/v1'] })], path)).toBe('refused');
    expect(ask([credential('a', { paths: ['/v1'] }), credential('b')], path)).toBe('refused');
  }
  expect(ask([credential('a')], '/@scope%2fname')).toBe('a');
});

test('of two that fit the more exact one is used, and two that fit equally are refused by name', () => {
  const wide = credential('wide');
  const narrow = credential('narrow', { paths: ['/v1'] });
  const deep = credential('deep', { paths: ['/v1/orgs/x'] });
  expect(ask([deep, wide, narrow], '/')).toBe('wide');
  expect(ask([wide, deep, narrow], '/v1/a')).toBe('narrow');
  expect(ask([wide, narrow, deep], '/v1/orgs/x/y')).toBe('deep');
  const again = credential('again', { paths: ['/v1/'] });
  expect(credentialFor([narrow, again], { host: 'api.example', port: 443 }, { path: '/v1/a' })).toEqual({
    kind: 'refused',
    reason: 'the credentials again and narrow fit this request equally well',
  });
  expect(ask([wide, credential('other')])).toBe('refused');
  expect(ask([wide, credential('root', { paths: ['/'] })], '/a')).toBe('refused');
});

test('a prefix that is not plain itself covers nothing', () => {
  expect(ask([credential('a', { paths: ['/v1/..'] })], '/v1')).toBe('none');
});

test('the order of credentials decides nothing', () => {
  const paths = fc.subarray(['/', '/a', '/a/b', '/c'], { maxLength: 2 });
  const any = fc
    .uniqueArray(fc.integer({ min: 0, max: 9 }), { maxLength: 4 })
    .chain((names) =>
      fc.tuple(...names.map((name) => paths.map((each) => credential(`c${name}`, { paths: each })))),
    );
  const path = fc.constantFrom('/', '/a', '/a/b/c', '/ab', '/c/d', '/a/../c', '/x%2f');
  fc.assert(
    fc.property(any, path, (credentials, at) => {
      const there = ask([...credentials], at);
      expect(ask(credentials.toReversed(), at)).toBe(there);
    }),
    { numRuns: 2_000 },
  );
});
