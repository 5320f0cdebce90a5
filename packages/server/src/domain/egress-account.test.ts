import { expect, test } from 'vitest';
import { createEgressAccount, isWorthRecording, nothingMoved } from './egress-account.ts';

const mib = 1024 ** 2;

test('what earlier owners counted goes on counting, in all and for each host', () => {
  const first = createEgressAccount();
  first.add('a.example', 10, 100);
  first.add('b.example', 1, 2);
  const next = createEgressAccount(JSON.parse(JSON.stringify(first.moved())));
  next.add('a.example', 5, 5);
  expect(next.all()).toEqual({ up: 16, down: 107 });
  expect(next.of('a.example')).toEqual({ up: 15, down: 105 });
  expect(next.of('never.example')).toEqual({ up: 0, down: 0 });
});

test('hosts with the names of object properties are hosts', () => {
  const account = createEgressAccount();
  for (const host of ['__proto__', 'constructor']) account.add(host, 1, 1);
  const next = createEgressAccount(JSON.parse(JSON.stringify(account.moved())));
  expect(next.of('__proto__')).toEqual({ up: 1, down: 1 });
  expect(next.all()).toEqual({ up: 2, down: 2 });
});

test('a flood of names is recorded by its biggest hosts, and its sum is true', () => {
  const account = createEgressAccount();
  account.add('big.example', 500, 0);
  for (let at = 0; at < 2_000; at += 1) account.add(`h${at}.example`, 1, 1);
  const { up, down, hosts } = account.moved();
  expect([up, down]).toEqual([2_500, 2_000]);
  expect(Object.keys(hosts)).toHaveLength(50);
  expect(hosts['big.example']).toEqual([500, 0]);
});

test('the log takes few entries however much moves', () => {
  let recorded = { up: 0, down: 0 };
  let entries = 0;
  for (let down = 0; down < 34 * 1024 * mib; down += 8 * mib) {
    if (!isWorthRecording(recorded, { up: 0, down })) continue;
    recorded = { up: 0, down };
    entries += 1;
  }
  expect(entries).toBeGreaterThan(20);
  expect(entries).toBeLessThan(80);
  expect(isWorthRecording(nothingMoved, { up: 16 * mib, down: 0 })).toBe(true);
});
