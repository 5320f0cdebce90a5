import { expect, test } from 'vitest';
import { signInPageFor } from './sign-in-redirect.ts';

const page = {
  method: 'GET',
  url: '/api/docs?a=b',
  headers: { accept: 'text/html,*/*;q=0.8', 'sec-fetch-mode': 'navigate' },
};

test('who opens a page without being signed in is led to the sign-in page and back', () => {
  expect(signInPageFor(page, 'NOT_SIGNED_IN', true)).toBe('/sign-in?returnTo=%2Fapi%2Fdocs%3Fa%3Db');
  expect(signInPageFor({ ...page, url: '/' }, 'NOT_SIGNED_IN', true)).toBe('/sign-in');
});

test('programs, requests of pages, other refusals and doors without sign-in get the problem', () => {
  expect(
    signInPageFor({ ...page, headers: { accept: 'application/json' } }, 'NOT_SIGNED_IN', true),
  ).toBeNull();
  expect(
    signInPageFor({ ...page, headers: { ...page.headers, 'sec-fetch-mode': 'cors' } }, 'NOT_SIGNED_IN', true),
  ).toBeNull();
  expect(signInPageFor({ ...page, method: 'POST' }, 'NOT_SIGNED_IN', true)).toBeNull();
  expect(signInPageFor(page, 'FORBIDDEN', true)).toBeNull();
  expect(signInPageFor(page, 'NOT_SIGNED_IN', false)).toBeNull();
});
