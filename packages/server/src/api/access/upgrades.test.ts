import { connect } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { addressOf, accessMatrix, type AccessMatrix, person } from '../../testing/access-matrix.ts';
import { testDatabase } from '../../testing/database.ts';
import { listenApi } from '../listen-api.ts';

const database = testDatabase();
let matrix: AccessMatrix;
let port: number;
beforeAll(async () => {
  matrix = await accessMatrix(database.db, []);
  port = Number(new URL(await listenApi(matrix.world.app, { host: '127.0.0.1', port: 0 })).port);
});
afterAll(() => matrix.close());

/** Asks for a WebSocket and answers the status once the connection is over; `held` where it stays open. */
async function upgrade(
  method: string,
  url: string,
  who: string | null,
  protocol = 'websocket',
): Promise<string> {
  return new Promise((resolve, reject) => {
    let seen = '';
    const socket = connect(port, '127.0.0.1', () => {
      socket.write(
        [
          `${method} ${url} HTTP/1.1`,
          `Host: 127.0.0.1:${port}`,
          'Connection: Upgrade',
          `Upgrade: ${protocol}`,
          'Sec-WebSocket-Version: 13',
          'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
          ...(who === null ? [] : [`x-test-person: ${who}`]),
          '',
          '',
        ].join('\r\n'),
      );
    });
    socket.on('data', (data) => {
      seen += data.toString();
    });
    socket.setTimeout(20_000, () => {
      resolve(`held after ${statusOf(seen)}`);
      socket.destroy();
    });
    socket.once('error', reject);
    socket.once('close', () => resolve(statusOf(seen)));
  });
}
const statusOf = (text: string): string => /^HTTP\/1\.1 (\d+)/.exec(text)?.[1] ?? text.slice(0, 40);

test('no route but the terminal switches to WebSockets, and none leaves a refused connection open', async () => {
  const wrong: string[] = [];
  let asked = 0;
  const ask = async (method: string, url: string, who: string | null): Promise<void> => {
    asked += 1;
    const status = await upgrade(method, url, who);
    const isRight = who === null ? /^4\d\d$/.test(status) : status === '400';
    if (!isRight) wrong.push(`${method} ${url} of ${String(who)}: ${status}`);
  };
  // All at once: a connection that is held open is only known by waiting.
  await Promise.all(
    matrix.world.app.routeTable.flatMap((route) => {
      const url = addressOf(route, matrix.ours);
      if (url.endsWith('/terminal')) return [];
      return [person('admin'), null].map((who) => ask(route.method, url, who));
    }),
  );
  expect(wrong).toEqual([]);
  expect(asked).toBeGreaterThan(100);
  expect(await upgrade('GET', '/nowhere', person('admin'))).toBe('404');
  expect(await upgrade('GET', '/api/v1/me', person('admin'), 'h2c')).toBe('400');
});

test('a terminal of a foreign run is answered as one of no run, before any protocol is switched', async () => {
  const terminal = (run: string) => `/api/v1/runs/${run}/terminal`;
  for (const who of [person('admin'), 'stranger@example.org']) {
    expect(await upgrade('GET', terminal(matrix.foreign.run), who)).toBe('404');
    expect(await upgrade('GET', terminal('r-zzzzzzzzzzzzzzzz'), who)).toBe('404');
  }
  expect(await upgrade('GET', terminal(matrix.ours.run), person('viewer'))).toBe('403');
  expect(await upgrade('GET', terminal(matrix.ours.run), null)).toBe('401');
});
