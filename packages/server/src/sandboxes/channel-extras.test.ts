import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { SandboxSpec } from '../domain/ports/sandbox.ts';
import { execRequest, runToEnd, startCall } from '../testing/exec-helper.ts';
import { fakeSpec, UnisolatedFakeDriver } from '../testing/fake-sandbox.ts';
import type { ChannelSandbox } from './channel-sandbox.ts';

const driver = new UnisolatedFakeDriver();
let spec: SandboxSpec;
let sandbox: ChannelSandbox;

beforeAll(async () => {
  spec = fakeSpec();
  sandbox = (await driver.create(spec, AbortSignal.timeout(120_000))) as ChannelSandbox;
});

afterAll(() => driver.destroyAll());

function isAlive(pid: number): boolean {
  try {
    return !/^\d+ \(.*\) [ZX]/s.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
}

test('a port inside is reached through the channel, and one that nobody listens on is refused', async () => {
  const server = createServer((socket) => socket.pipe(socket));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const stream = await sandbox.channel.connect(port);
  stream.end('echo');
  let text = '';
  for await (const chunk of stream) text += String(chunk);
  expect(text).toBe('echo');
  server.close();
  await once(server, 'close');
  await expect(sandbox.channel.connect(port)).rejects.toMatchObject({ code: 'FILE_NOT_FOUND' });
});

test('a terminal can be typed into and resized', async () => {
  const request = execRequest('read -r line; echo "<$line>"; read -r line; stty size', {
    pty: { columns: 80, rows: 24 },
  });
  const call = startCall(sandbox, request);
  await sandbox.writeStdin(request.id, Buffer.from('hello\n'));
  await call.printed('<hello>');
  await sandbox.channel.resize(request.id, 120, 50);
  await sandbox.writeStdin(request.id, Buffer.from('\n'));
  expect(await call.done).toMatchObject({ exitCode: 0 });
  expect(call.output()).toContain('50 120');
});

test('twenty calls whose readers stand still cost sandboxd bounded memory, and others are served', async () => {
  const rss = (): number => {
    const status = readFileSync(`/proc/${driver.processesOf(spec.id).sandboxd}/status`, 'utf8');
    return Number(/VmRSS:\s+(\d+) kB/.exec(status)![1]) / 1024;
  };
  const stop = new AbortController();
  const before = rss();
  let reached = 0;
  const calls = Array.from({ length: 20 }, () =>
    sandbox
      .exec(execRequest('head -c 20000000 /dev/zero', { maxOutputBytes: 20_000_000, overflow: 'block' }), {
        signal: stop.signal,
        onOutput: async () => {
          reached += 1;
          await once(stop.signal, 'abort');
        },
      })
      .catch(() => {}),
  );
  await expect.poll(() => reached).toBe(20);
  expect((await runToEnd(sandbox, execRequest('echo served'))).stdout.toString()).toBe('served\n');
  expect(rss() - before).toBeLessThan(128);
  stop.abort();
  await Promise.all(calls);
});

test('a sandbox that is destroyed leaves no process and no file', async () => {
  const mine = fakeSpec();
  const other = await driver.create(mine, AbortSignal.timeout(120_000));
  const { stdout } = await runToEnd(other, execRequest('setsid sleep 1000 >/dev/null 2>&1 & echo $!'));
  const pid = Number(stdout.toString());
  const pids = Object.values(driver.processesOf(mine.id));
  await other.destroy();
  for (const one of [pid, ...pids]) expect(isAlive(one)).toBe(false);
  await expect(other.stat('x')).rejects.toMatchObject({ code: 'SANDBOX_LOST' });
  await other.destroy();
});

test('a killed sandboxd loses the sandbox with a code, and its runner goes with it', async () => {
  const mine = fakeSpec();
  const other = await driver.create(mine, AbortSignal.timeout(120_000));
  const call = startCall(other, execRequest('echo up; sleep 1000'));
  await call.printed('up');
  const { sandboxd, runnerSupervisor } = driver.processesOf(mine.id);
  process.kill(sandboxd, 'SIGKILL');
  expect(await call.done).toEqual({ kind: 'lost', what: 'sandbox' });
  expect(await other.lost).toMatchObject({ code: 'SANDBOX_LOST' });
  await expect.poll(() => isAlive(runnerSupervisor)).toBe(false);
  expect(await driver.attach(other.ref, mine, AbortSignal.timeout(5_000)).catch(() => null)).toBeNull();
});
