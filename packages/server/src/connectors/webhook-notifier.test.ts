import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { systemClock } from '../domain/clock.ts';
import { notificationsSchema } from '../domain/config/index.ts';
import { fakeNotifier } from '../testing/fake-notifier.ts';
import { notifierContract, sampleNotification, type NotifierScene } from '../testing/notifier-contract.ts';
import { webhookNotifier } from './webhook-notifier.ts';

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.close();
    server.closeAllConnections();
  }
});

interface Received {
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

/** A receiver on loopback. */
async function receiver(
  answer: () => { status: number; headers?: Record<string, string>; body?: string } | null,
) {
  const received: Received[] = [];
  const server = createServer((request, response) => {
    let body = '';
    request.on('data', (piece: Buffer) => (body += piece.toString()));
    request.on('end', () => {
      const said = answer();
      if (said === null) return;
      if (said.status < 300) received.push({ headers: request.headers, body });
      response.writeHead(said.status, said.headers).end(said.body ?? '');
    });
  });
  servers.push(server);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`, received };
}

const notifierTo = (url: string, timeoutMs = 400) =>
  webhookNotifier({ url, clock: systemClock, timeoutMs, secret: async () => 'a-shared-secret' });

notifierContract('the fake', async () => fakeNotifier());
notifierContract('the webhook', async (): Promise<NotifierScene> => {
  let how: 'well' | 'refuses' | 'silent' = 'well';
  const { url, received } = await receiver(() =>
    how === 'silent' ? null : { status: how === 'well' ? 204 : 500 },
  );
  return {
    notifier: notifierTo(url),
    taken: () => received.map(({ headers }) => String(headers['berth-delivery'])),
    behave: (next) => {
      how = next;
    },
  };
});

test('the body is signed with the time, so that a receiver can refuse what is forged or old', async () => {
  const { url, received } = await receiver(() => ({ status: 200 }));
  await notifierTo(url, 10_000).notify(sampleNotification, new AbortController().signal);
  const [{ headers, body }] = received as [Received];
  const [, seconds = '', signature = ''] =
    /^t=(\d+),v1=([0-9a-f]{64})$/.exec(String(headers['berth-signature'])) ?? [];
  expect(signature).toBe(createHmac('sha256', 'a-shared-secret').update(`${seconds}.${body}`).digest('hex'));
  expect(Math.abs(Date.now() / 1_000 - Number(seconds))).toBeLessThan(60);
  expect(headers['berth-event']).toBe('gate.opened');
  expect(JSON.parse(body)).toEqual(sampleNotification);
});

test('a redirect is not followed, and an endless answer is not read', async () => {
  const target = await receiver(() => ({ status: 200 }));
  const hop = await receiver(() => ({ status: 307, headers: { location: target.url } }));
  const { signal } = new AbortController();
  await expect(notifierTo(hop.url, 10_000).notify(sampleNotification, signal)).rejects.toMatchObject({
    code: 'NOTIFICATION_FAILED',
    message: 'The webhook answered 307.',
  });
  expect(target.received).toEqual([]);
  const flood = await receiver(() => ({ status: 200, body: 'x'.repeat(8 * 1024 * 1024) }));
  await notifierTo(flood.url, 10_000).notify(sampleNotification, signal);
});

test('only https is taken, or this machine itself', () => {
  const webhook = (url: string) => ({ webhook: { url, secret: '${env:HOOK_SECRET}' } });
  expect(notificationsSchema.safeParse(webhook('https://hooks.example.com/x')).success).toBe(true);
  expect(notificationsSchema.safeParse(webhook('http://127.0.0.1:9000/x')).success).toBe(true);
  for (const url of [
    'http://hooks.example.com/x',
    'ftp://x.example.com',
    'http://127.0.0.1.example.com/',
    'x',
  ])
    expect([url, notificationsSchema.safeParse(webhook(url)).success]).toEqual([url, false]);
});
