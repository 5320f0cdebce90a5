import assert from 'node:assert/strict';
import { test } from 'node:test';
import { shares, total } from '../src/index.js';

test('adds up its lines', () => {
  assert.equal(total([{ text: 'Tea', amount: '4.20' }, { text: 'Cake', amount: '5.80' }]), 1000);
});

test('shares an invoice between payers', () => {
  assert.deepEqual(shares([{ text: 'Dinner', amount: '100' }], [2, 1]), ['66.67', '33.33']);
});
