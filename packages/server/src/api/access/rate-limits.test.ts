import { afterEach, expect, test } from 'vitest';
import type { FastifyInstance } from 'fastify';
import { localPrincipal, type Principal } from '../../domain/access.ts';
import { BerthError } from '../../domain/errors/index.ts';
import { FakeControlPlane } from '../../testing/fake-control-plane.ts';
import { ManualClock } from '../../testing/manual-clock.ts';
import { createApi } from '../create-api.ts';
import { buckets } from './rate-limits.ts';

const apps: FastifyInstance[] = [];
afterEach(async () => {
  for (const app of apps.splice(0)) await app.close();
});

const slow = { perSecond: 0.001, burst: 3 };

function start(via: Principal['via'] = 'oidc') {
  const app = createApi(new FakeControlPlane({ pace: 0, worker: false }), {
    rates: { reads: slow, writes: { ...slow, burst: 1 }, unknown: slow },
    authenticate: async ({ headers }) => {
      const name = headers['x-test-person'];
      if (typeof name !== 'string') throw new BerthError('NOT_SIGNED_IN');
      return { ...localPrincipal(name), via };
    },
  });
  apps.push(app);
  return async (url: string, person: string | null, address = '192.0.2.1', method: 'GET' | 'POST' = 'GET') =>
    app.inject({
      method,
      url,
      remoteAddress: address,
      headers: person === null ? {} : { 'x-test-person': person },
      ...(method === 'POST' ? { payload: {} } : {}),
    });
}

test('a principal that asks too often is told when to come again; others are not held up', async () => {
  const call = start();
  for (let count = 0; count < 3; count += 1) expect((await call('/api/v1/runs', 'ada')).statusCode).toBe(200);
  const refused = await call('/api/v1/runs', 'ada', '192.0.2.9');
  expect(refused.statusCode).toBe(429);
  expect(refused.json()).toMatchObject({ code: 'RATE_LIMITED', retryable: true });
  expect(Number(refused.headers['retry-after'])).toBeGreaterThan(0);
  expect((await call('/api/v1/runs', 'bob')).statusCode).toBe(200);
});

test('writes have a bucket of their own', async () => {
  const call = start();
  expect((await call('/api/v1/runs/x/cancel', 'ada', undefined, 'POST')).statusCode).toBe(404);
  expect((await call('/api/v1/runs/x/cancel', 'ada', undefined, 'POST')).statusCode).toBe(429);
  expect((await call('/api/v1/runs', 'ada')).statusCode).toBe(200);
});

test('an address nobody signs in from is held up, but not who carries what holds; probes never are', async () => {
  const call = start();
  for (let count = 0; count < 3; count += 1) expect((await call('/api/v1/runs', null)).statusCode).toBe(401);
  expect((await call('/api/v1/runs', null)).statusCode).toBe(429);
  expect((await call('/api/v1/runs', null, '192.0.2.2')).statusCode).toBe(401);
  expect((await call('/api/v1/runs', 'ada')).statusCode).toBe(200);
  for (let count = 0; count < 9; count += 1) expect((await call('/healthz', null)).statusCode).toBe(200);
});

test('over the unix socket nothing is limited', async () => {
  const call = start('socket');
  for (let count = 0; count < 20; count += 1)
    expect((await call('/api/v1/runs', 'ada')).statusCode).toBe(200);
});

test('a bucket fills again with time, and memory is bounded', async () => {
  const clock = new ManualClock();
  const held = buckets(clock, 100);
  const rate = { perSecond: 2, burst: 2 };
  held.take('a', rate);
  held.take('a', rate);
  expect(() => held.take('a', rate)).toThrow(BerthError);
  await clock.advance(500);
  held.take('a', rate);
  expect(() => held.take('a', rate)).toThrow(BerthError);
  for (let count = 0; count < 1_000; count += 1) held.take(`b${count}`, rate);
  expect(held.size).toBe(100);
});
