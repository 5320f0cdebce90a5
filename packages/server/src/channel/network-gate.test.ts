import { createSocket } from 'node:dgram';
import type { Socket as DatagramSocket } from 'node:dgram';
import { readdirSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo, Server } from 'node:net';
import type { NetworkGate } from '@berth/sandboxd';
import type { SandboxNotice } from '@berth/protocol';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { execRequest } from '../testing/exec-helper.ts';
import { makePodNetwork, podNetworkIsMissing } from '../testing/pod-network.ts';
import type { PodNetwork } from '../testing/pod-network.ts';
import { podIsMissing, startPod } from '../testing/pod-processes.ts';
import type { Pod, PodOptions } from '../testing/pod-processes.ts';
import type { Channel } from './channel.ts';

const missing = podIsMissing ?? podNetworkIsMissing;

let network: PodNetwork;
let api: Server;
let dns: DatagramSocket;
let reached = 0;
let pod: Pod | null = null;
const patience = { signal: AbortSignal.timeout(240_000) };

beforeEach(async () => {
  if (missing !== null) return;
  network = makePodNetwork();
  reached = 0;
  api = createServer((socket) => {
    reached += 1;
    socket.on('error', () => {}).end('reached');
  });
  await new Promise<void>((resolve) => api.listen(0, network.nodeAddress, resolve));
  dns = createSocket('udp4');
  dns.on('message', (query, from) => dns.send(query, from.port, from.address));
  await new Promise<void>((resolve) => dns.bind(0, network.nodeAddress, resolve));
});

afterEach(async () => {
  if (missing !== null) return;
  await pod?.stop();
  pod = null;
  api.close();
  dns.close();
  network.remove();
});

const apiPort = (): number => (api.address() as AddressInfo).port;

function gate(over: Partial<NetworkGate> = {}): NetworkGate {
  return {
    targets: [
      { name: 'api-server', host: network.nodeAddress, port: apiPort(), protocol: 'tcp' },
      { name: 'dns', host: network.nodeAddress, port: dns.address().port, protocol: 'dns' },
      { name: 'metadata', host: '169.254.169.254', port: 80, protocol: 'tcp' },
    ],
    ...over,
  };
}

async function start(options: PodOptions): Promise<Pod> {
  pod = await startPod({ network, ...options });
  return pod;
}

/** Runs a script and tells what it printed. */
async function run(channel: Channel, script: string): Promise<string> {
  let printed = '';
  await channel.exec(execRequest(script), {
    ...patience,
    onOutput: ({ data }) => {
      printed += Buffer.from(data).toString();
    },
  });
  return printed;
}

/** Tries to run something until sandboxd has made up its mind; what ran, and the error of the last dial. */
async function untilRefused(started: Pod): Promise<{ readonly printed: string; readonly error: unknown }> {
  let printed = '';
  for (;;) {
    try {
      const channel = await started.open();
      // Refused, or lost with its channel: it depends on who is first.
      printed += await run(channel, 'echo ran').catch(() => '');
      await channel.closed;
    } catch (error) {
      return { printed, error };
    }
  }
}

function isRunning(argument: string): boolean {
  return readdirSync('/proc').some((name) => {
    if (!/^\d+$/.test(name)) return false;
    try {
      return readFileSync(`/proc/${name}/cmdline`, 'latin1').includes(`sleep\0${argument}\0`);
    } catch {
      return false;
    }
  });
}

describe.skipIf(missing !== null)(`the network gate (missing: ${missing ?? 'nothing'})`, () => {
  test.each([50, 310])(
    'a policy that comes %d ms late is waited for: no command runs before it holds',
    async (lateMs) => {
      const started = await start({ gate: gate() });
      const notices: SandboxNotice[] = [];
      setTimeout(() => network.deny(), lateMs);
      const channel = await started.open({ onNotice: (notice) => notices.push(notice) });
      const script = `timeout 2 bash -c 'exec 3<>/dev/tcp/${network.nodeAddress}/${apiPort()} && cat <&3' || echo shut`;
      const printed = run(channel, script);
      await expect.poll(() => notices.map(({ t }) => t)).toContain('network-closed');
      expect(reached).toBeGreaterThan(0);
      const before = reached;
      expect(await printed).toContain('shut');
      expect(reached).toBe(before);
    },
  );

  test('a network that stays open makes the sandbox unusable, and says what was reached', async () => {
    const { printed, error } = await untilRefused(await start({ gate: gate({ withinMs: 1_000 }) }));
    expect(error).toMatchObject({
      code: 'SANDBOX_NETWORK_OPEN',
      message: expect.stringMatching(/api-server \(198\.18\.[\d.]+:\d+\), dns \(/) as string,
    });
    expect(printed).toBe('');
  });

  test('DNS alone is enough', async () => {
    const targets = gate().targets.filter(({ name }) => name !== 'api-server');
    const { printed, error } = await untilRefused(await start({ gate: { targets, withinMs: 500 } }));
    expect(error).toMatchObject({
      code: 'SANDBOX_NETWORK_OPEN',
      message: expect.stringContaining('dns (') as string,
    });
    expect(printed).toBe('');
  });

  test('a network that opens later ends the sandbox with its commands', async () => {
    network.deny();
    const started = await start({ gate: gate({ everyMs: 300 }) });
    const notices: SandboxNotice[] = [];
    const channel = await started.open({ onNotice: (notice) => notices.push(notice) });
    expect(await run(channel, 'echo fine')).toBe('fine\n');
    const marker = `${1000 + Math.floor(Math.random() * 9000)}.25`;
    const running = channel.exec(execRequest(`sleep ${marker}`), patience);
    await expect.poll(async () => (await channel.calls()).some((call) => call.running)).toBe(true);
    network.allow();
    expect((await channel.closed).reason).toContain('the network of the sandbox is open: api-server');
    expect(notices.map(({ t }) => t)).toContain('network-open');
    expect(await running).toEqual({ kind: 'lost', what: 'sandbox' });
    await expect.poll(() => isRunning(marker)).toBe(false);
    // It does not heal: what ran meanwhile may have used it.
    network.deny();
    await expect(started.open()).rejects.toMatchObject({ code: 'SANDBOX_NETWORK_OPEN' });
  });

  test('from the pod’s own address or its loopback nobody gets as far as TLS', async () => {
    network.deny();
    const started = await start({ gate: gate() });
    const channel = await started.open();
    for (const address of [started.address, '127.0.0.1']) {
      // A whole ClientHello gets no ServerHello: the connection is reset before.
      const script = `/berth/node/node -e '
      const socket = require("net").connect(7443, "${address}");
      let bytes = 0;
      const tls = require("tls").connect({ socket, rejectUnauthorized: false });
      socket.on("close", () => { console.log("bytes", socket.bytesRead); process.exit(); });
      tls.on("error", (error) => console.log(error.code));'`;
      expect(await run(channel, script)).toMatch(/ECONNRESET\s+bytes 0/);
    }
    expect(started.log()).toContain('it comes from inside the sandbox');
    // The channel is not disturbed.
    expect(await run(channel, 'echo fine')).toBe('fine\n');
  });
});
