import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatAmount, parseAmount } from '../src/index.js';

test('reads whole and fractional amounts', () => {
  assert.equal(parseAmount('12'), 1200);
  assert.equal(parseAmount('12.5'), 1250);
  assert.equal(parseAmount('-12.50'), -1250);
});

test('reads corrections of less than one unit', () => {
  assert.equal(parseAmount('0.05'), 5);
  assert.equal(parseAmount('-0.05'), -5);
});

test('refuses what is not an amount', () => {
  assert.throws(() => parseAmount('12,50'), RangeError);
  assert.throws(() => parseAmount(''), RangeError);
});

test('prints what it reads', () => {
  for (const text of ['0.00', '0.05', '12.50', '-12.50']) assert.equal(formatAmount(parseAmount(text)), text);
});
