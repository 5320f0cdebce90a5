import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { normalPath } from './request-path.ts';

test.each([
  ['/', '/'],
  ['/a/b', '/a/b'],
  ['/a/b/', '/a/b/'],
  ['/a?x=../..', '/a'],
  ['/%61bc', '/abc'],
  ['/a%20b', '/a b'],
  ['/gr%C3%BC%C3%9Fe', '/grüße'],
  ['/a/...', '/a/...'],
  ['/a/.well-known', '/a/.well-known'],
  ['/100%25', '/100%'],
])('%s is the path %s', (path, plain) => {
  expect(normalPath(path)).toBe(plain);
});

test.each([
  '',
  'a',
  '*',
  'http://host/a',
  '/a/../b',
  '/a/..',
  '/./a',
  '/a/%2e%2e/b',
  '/a/.%2E/b',
  '//a',
  '/a//b',
  '/a\\b',
  '/a%5cb',
  '/a;x=1/b',
  '/a/..;/b',
  '/a%3bx',
  '/a%2fb',
  '/a%2Fb',
  '/a%252fb',
  '/a%252e',
  '/a%00b',
  '/a%0ab',
  '/a b',
  '/a\tb',
  '/a#b',
  '/a%23b',
  '/a%3fb',
  '/a%',
  '/a%zz',
  '/a%c0%ae',
  '/a%ff',
  '/ä',
  `/${'a'.repeat(9_000)}`,
])('%j can be read in more than one way, or by nobody', (path) => {
  expect(normalPath(path)).toBeNull();
});

const piece = fc.constantFrom(
  'a',
  'b',
  '/',
  '.',
  '..',
  '%2e',
  '%2f',
  '%25',
  ';',
  '\\',
  '%5c',
  '%',
  '2',
  'f',
  '?',
  '#',
);

test('what is taken has no segment that leads elsewhere, and reads the same when it is decoded again', () => {
  let taken = 0;
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
      const plain = normalPath(`/${pieces.join('')}`);
      if (plain === null) return;
      taken += 1;
      expect(new URL(`http://h${encodeURI(plain)}`).pathname).toBe(encodeURI(plain));
      expect(plain).not.toMatch(/\/\.{1,2}(\/|$)|\/\/|[\\;?#]|%[0-9a-f]{2}/i);
    }),
    { numRuns: 5_000 },
  );
  expect(taken).toBeGreaterThan(100);
});
