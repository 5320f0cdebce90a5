import { expect, test } from 'vitest';
import { localPrincipal, type Principal } from '../../domain/access.ts';
import { places } from './places.ts';

const of = (id: string): Principal => ({ ...localPrincipal(id), via: 'oidc' });

function codeOf(work: () => unknown): unknown {
  try {
    work();
    return null;
  } catch (error) {
    return (error as { code?: unknown }).code;
  }
}

test('one principal who opens all they can leaves room for others', () => {
  const { take } = places(8);
  const given = [take(of('flood')), take(of('flood'))];
  expect(codeOf(() => take(of('flood')))).toBe('RATE_LIMITED');
  expect(codeOf(() => take(of('other')))).toBeNull();
  given[0]!();
  // Given back twice is given back once.
  given[0]!();
  expect(codeOf(() => take(of('flood')))).toBeNull();
  expect(codeOf(() => take(of('flood')))).toBe('RATE_LIMITED');
});

test('in all there are only so many, also over the socket', () => {
  const { take, check } = places(4);
  const local = localPrincipal('tester');
  for (let count = 0; count < 4; count += 1) take(local);
  expect(codeOf(() => take(local))).toBe('OVERLOADED');
  expect(codeOf(() => check(of('other')))).toBe('OVERLOADED');
});
