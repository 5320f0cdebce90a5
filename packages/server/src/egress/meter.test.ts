import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { createEgressAccount } from '../domain/egress-account.ts';
import type { EgressTraffic } from '../domain/egress.ts';
import {
  closing,
  connectTo,
  decisions,
  get,
  knock,
  makeDoor,
  open,
  plainPort,
  rule,
} from '../testing/egress-door.ts';
import { httpServer, listen, readAll } from '../testing/egress-world.ts';
import { ManualClock } from '../testing/manual-clock.ts';
import { createMeter } from './meter.ts';

const wide: EgressTraffic = {
  upBytes: 1e9,
  downBytes: 1e9,
  hostUpBytes: 1e9,
  hostDownBytes: 1e9,
  perSecond: 1_000,
  connections: 100,
};
const at = (host: string) => ({ host, port: 443 });
const mib = 1024 ** 2;

test.each<[keyof EgressTraffic, number, number, string]>([
  ['upBytes', 1, 0, 'sent more than 1 MiB (egress.limits.upMiB)'],
  ['downBytes', 0, 1, 'received more than 1 MiB (egress.limits.downMiB)'],
  ['hostUpBytes', 1, 0, 'sent more than 1 MiB to a.example (egress.limits.hostUpMiB)'],
  ['hostDownBytes', 0, 1, 'received more than 1 MiB from a.example (egress.limits.hostDownMiB)'],
])('%s ends what moves more, and lets nothing more begin', (key, up, down, sentence) => {
  const meter = createMeter(new ManualClock(), () => ({ ...wide, [key]: mib }));
  expect(meter.count(at('a.example'), up * mib, down * mib)).toBeNull();
  expect(meter.admit(at('a.example'))).toBeNull();
  expect(meter.count(at('a.example'), up, down)).toContain(sentence);
  expect(meter.admit(at('a.example'))).toContain(sentence);
  // A limit of one host is no concern of others.
  expect(meter.admit(at('b.example')) === null).toBe(key.startsWith('host'));
});

test('a burst of four seconds passes, then as many as the second has', async () => {
  const clock = new ManualClock();
  const meter = createMeter(clock, () => ({ ...wide, perSecond: 5 }));
  const burst = () =>
    Array.from({ length: 50 }, () => meter.admit(at('a.example'))).filter((why) => why === null).length;
  expect(burst()).toBe(20);
  await clock.advance(1_000);
  expect(burst()).toBe(5);
  expect(meter.admit(at('a.example'))).toContain(
    'more than 5 connections a second (egress.limits.perSecond)',
  );
  await clock.advance(60_000);
  expect(burst()).toBe(20);
});

test('a flood of names is counted together, and its sum is true', () => {
  const meter = createMeter(new ManualClock(), () => ({ ...wide, hostUpBytes: 100, upBytes: 5_000 }));
  for (let n = 0; n < 1_000; n += 1) expect(meter.count(at(`${n}.example`), 1, 0)).toBeNull();
  // The next ones share a count.
  const late = Array.from({ length: 200 }, (_, n) => meter.count(at(`late-${n}.example`), 1, 0));
  expect(late.filter((why) => why !== null)).toHaveLength(100);
});

test('no order of chunks moves more than the limit and one chunk', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 400 }), { maxLength: 50 }), (chunks) => {
      const meter = createMeter(new ManualClock(), () => ({ ...wide, upBytes: 1_000 }));
      let moved = 0;
      for (const chunk of chunks) {
        moved += chunk;
        const over = meter.count(at('a.example'), chunk, 0) !== null;
        expect(over).toBe(moved > 1_000);
        if (over) return;
      }
    }),
  );
});

test('a download past the limit is cut, and so is all that follows, with one event', async () => {
  const endless = httpServer((_, response) => {
    const more = (): void => {
      while (response.write(Buffer.alloc(65_536)));
      response.once('drain', more);
    };
    response.on('error', () => undefined);
    more();
  });
  open.add(endless);
  const port = await listen(endless);
  const host = `allowed.example:${port}`;
  const rules = [rule('allowed.example', port, plainPort)];
  const door = makeDoor(rules);
  door.setPolicy({ rules, traffic: { ...wide, downBytes: 4 * mib } });
  const ask = () => readAll(knock(door, get(`http://${host}/`, host, closing)));
  expect((await ask()).length).toBeGreaterThan(4 * mib);
  expect(await ask()).toMatch(/ 403 [^]*received more than 4 MiB \(egress\.limits\.downMiB\)/);
  expect(await readAll(knock(door, connectTo(host)))).toContain(' 403 ');
  expect(decisions.filter(({ allowed }) => !allowed)).toMatchObject([
    { host: 'allowed.example', port, reason: expect.stringContaining('egress.limits.downMiB') },
  ]);
});

test('the policy’s own ranges and number of connections count at once; loopback stays closed', async () => {
  const rules = [rule('allowed.example', 443)];
  const door = makeDoor(rules, { resolve: async () => ['127.0.0.1'] });
  door.setPolicy({ rules, refusedRanges: ['10.0.0.0/8'], traffic: { ...wide, connections: 1 } });
  expect(await readAll(knock(door, connectTo('allowed.example:443')))).toMatch(/ 403 [^]*127\.0\.0\.0\/8/);
  const held = knock(door, 'GET ');
  expect(await readAll(knock(door, 'GET '))).toContain('may have 1 connections');
  held.destroy();
});

test('sandboxes of one run share what they may move, and so does the next owner', () => {
  const account = createEgressAccount();
  const limits = () => ({ ...wide, downBytes: mib });
  const work = createMeter(new ManualClock(), limits, account);
  const verify = createMeter(new ManualClock(), limits, account);
  expect(work.count(at('a.example'), 0, mib)).toBeNull();
  expect(verify.count(at('b.example'), 0, 1)).toContain('this run has received more than 1 MiB');
  expect(work.admit(at('a.example'))).toContain('this run has received more than 1 MiB');
  const taken = createMeter(new ManualClock(), limits, createEgressAccount(account.moved()));
  expect(taken.admit(at('c.example'))).toContain('this run has received more than 1 MiB');
});
