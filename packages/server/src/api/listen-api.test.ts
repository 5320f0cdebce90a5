import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { FastifyInstance } from 'fastify';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { FakeControlPlane } from '../testing/fake-control-plane.ts';
import { createApi } from './create-api.ts';
import { listenApi } from './listen-api.ts';
import { readOrCreateToken } from './token.ts';

let directory: string;
const apps: FastifyInstance[] = [];
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'berth-listen-'));
});
afterEach(async () => {
  for (const app of apps.splice(0)) await app.close();
  rmSync(directory, { recursive: true, force: true });
});

function api(options: { token?: string } = {}): FastifyInstance {
  const app = createApi(new FakeControlPlane(), options);
  apps.push(app);
  return app;
}

async function status(address: object, headers: Record<string, string> = {}): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    request({
      ...address,
      path: '/api/v1/openapi.json',
      headers: { host: 'localhost', ...headers },
      agent: false,
    })
      .on('response', (message) => {
        message.resume();
        resolve(message.statusCode);
      })
      .on('error', reject)
      .end();
  });
}

test('only the owner can reach the socket: mode 0600 in a directory of mode 0700', async () => {
  const socketPath = join(directory, 'run', 'api.sock');
  mkdirSync(join(directory, 'run'), { mode: 0o755 });
  expect(await listenApi(api(), { socketPath })).toBe(socketPath);
  expect(statSync(socketPath).mode & 0o777).toBe(0o600);
  expect(statSync(join(directory, 'run')).mode & 0o777).toBe(0o700);
  expect(await status({ socketPath })).toBe(200);
});

test('a socket that a killed server left behind is replaced', async () => {
  const socketPath = join(directory, 'api.sock');
  const server = spawn(process.execPath, [
    '-e',
    `require('net').createServer().listen(${JSON.stringify(socketPath)}, () => console.log('up'))`,
  ]);
  await once(server.stdout, 'data');
  server.kill('SIGKILL');
  await once(server, 'exit');
  expect(existsSync(socketPath)).toBe(true);
  await listenApi(api(), { socketPath });
  expect(await status({ socketPath })).toBe(200);
});

test('a living server keeps its socket', async () => {
  const socketPath = join(directory, 'api.sock');
  await listenApi(api(), { socketPath });
  await expect(listenApi(api(), { socketPath })).rejects.toMatchObject({ code: 'SERVER_RUNNING' });
  expect(await status({ socketPath })).toBe(200);
});

test('of ten servers that start at once over a stale socket exactly one listens, and it can be reached', async () => {
  const socketPath = join(directory, 'api.sock');
  writeFileSync(socketPath, '');
  const results = await Promise.allSettled(
    Array.from({ length: 10 }, async () => listenApi(api(), { socketPath })),
  );
  expect(results.filter((one) => one.status === 'fulfilled')).toHaveLength(1);
  for (const one of results) {
    if (one.status === 'rejected') expect(one.reason).toMatchObject({ code: 'SERVER_RUNNING' });
  }
  expect(await status({ socketPath })).toBe(200);
});

test('a server that closes takes its socket away, but not that of its successor', async () => {
  const socketPath = join(directory, 'api.sock');
  const first = api();
  await listenApi(first, { socketPath });
  rmSync(socketPath);
  await listenApi(api(), { socketPath });
  await first.close();
  expect(await status({ socketPath })).toBe(200);
  await apps.at(-1)?.close();
  await expect.poll(() => existsSync(socketPath)).toBe(false);
});

test('on loopback it listens only with a token, and the token is asked for', async () => {
  await expect(listenApi(api(), { host: '127.0.0.1', port: 0 })).rejects.toThrow(/token/);
  const token = await readOrCreateToken(join(directory, 'token'));
  const app = api({ token });
  const { port } = new URL(await listenApi(app, { host: '127.0.0.1', port: 0 }));
  expect(await status({ host: '127.0.0.1', port })).toBe(401);
  expect(await status({ host: '127.0.0.1', port }, { authorization: `Bearer ${token}` })).toBe(200);
});

test('the token is random, kept, and refused when others can read its file', async () => {
  const path = join(directory, 'token');
  const token = await readOrCreateToken(path);
  expect(token).toMatch(/^[\w-]{43}$/);
  expect(statSync(path).mode & 0o777).toBe(0o600);
  expect(await readOrCreateToken(path)).toBe(token);
  rmSync(path);
  writeFileSync(path, token, { mode: 0o644 });
  await expect(readOrCreateToken(path)).rejects.toMatchObject({ code: 'SOCKET_UNSAFE' });
});

test('a port that is taken is said with the process that holds it', async () => {
  const token = await readOrCreateToken(join(directory, 'token'));
  const { port } = new URL(await listenApi(api({ token }), { host: '127.0.0.1', port: 0 }));
  await expect(listenApi(api({ token }), { host: '127.0.0.1', port: Number(port) })).rejects.toMatchObject({
    code: 'PORT_TAKEN',
    details: { pid: process.pid },
  });
});

test('with nothing but a token it does not listen where others reach it', async () => {
  const token = await readOrCreateToken(join(directory, 'token'));
  await expect(listenApi(api({ token }), { host: '0.0.0.0', port: 0 })).rejects.toMatchObject({
    code: 'LISTEN_REFUSED',
  });
});
