import assert from 'node:assert/strict';
import { test } from 'node:test';
import { allocate, parseAmount, sum } from '../src/index.js';

test('splits evenly where it can', () => {
  assert.deepEqual(allocate(900, [1, 1, 1]), [300, 300, 300]);
});

test('gives the cents that are left to the first parts', () => {
  assert.deepEqual(allocate(1000, [1, 1, 1]), [334, 333, 333]);
});

test('the parts add up, corrections of less than one unit included', () => {
  for (const text of ['0.05', '10.00', '99.99', '-0.05']) {
    const amount = parseAmount(text);
    assert.equal(sum(allocate(amount, [1, 1, 1])), amount, `parts of ${text}`);
  }
});

test('refuses weights that cannot be used', () => {
  assert.throws(() => allocate(100, [0, 0]), RangeError);
  assert.throws(() => allocate(100, [1, -1]), RangeError);
});
