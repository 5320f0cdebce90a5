import { createConnection } from 'node:net';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { connect as connectTls } from 'node:tls';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { execRequest } from '../testing/exec-helper.ts';
import { connectTcp, podIsMissing, startPod } from '../testing/pod-processes.ts';
import type { Pod } from '../testing/pod-processes.ts';
import { testClock } from '../testing/test-clock.ts';
import { openChannelAuthority } from './authority.ts';
import type { ChannelIdentity } from './authority.ts';
import { connectChannel } from './connect.ts';
import { dialTls } from './dial-tls.ts';
import { readCertificateLine } from './sandboxd-certificate.ts';

let pod: Pod;
beforeAll(async () => {
  if (podIsMissing === null) pod = await startPod({ withoutWork: true, epoch: 3 });
});
afterAll(async () => await pod?.stop());

const identityOf = (over: Partial<{ podUid: string; epoch: number; lifetimeMs: number }> = {}) =>
  pod.authority.clientIdentity({ podUid: pod.podUid, epoch: 3, lifetimeMs: 60_000, ...over });

/** Opens a channel with this certificate, as an attacker would: without asking whether it can work. */
async function openWith(identity: ChannelIdentity, epoch = identity.epoch) {
  return await connectChannel({
    sandboxId: 's',
    epoch,
    clock: testClock,
    signal: AbortSignal.timeout(120_000),
    dial: async (signal) =>
      await dialTls({
        connect: pod.connect,
        pinned: pod.pinned(),
        identity: { ...identity, podUid: pod.podUid },
        signal,
        withinMs: 30_000,
      }),
  });
}

/** What a peer sends until it ends the connection. */
function untilClosed(socket: Duplex): Promise<string> {
  return new Promise((resolve) => {
    let text = '';
    socket.on('data', (chunk: Buffer) => (text += chunk.toString('latin1')));
    socket.on('error', () => {});
    socket.once('close', () => resolve(text));
  });
}

describe.skipIf(podIsMissing !== null)(`the channel over TLS (missing: ${podIsMissing ?? 'nothing'})`, () => {
  test('the first line of the log is a certificate, and the worker that has it gets a channel', async () => {
    const pinned = readCertificateLine(pod.log().split('\n')[0]!);
    expect(pinned.podUid).toBe(pod.podUid);
    const channel = await openWith(identityOf());
    expect(channel.hello).toMatchObject({ sandbox: 's', epoch: 3 });
    expect(await channel.calls()).toEqual([]);
    channel.close('done');
  });

  test.each<[string, string, () => ChannelIdentity]>([
    [
      'signed by another key',
      'not signed by the channel key',
      () =>
        openChannelAuthority({ directory: `${pod.directory}/foreign` }, testClock).clientIdentity({
          podUid: pod.podUid,
          epoch: 3,
          lifetimeMs: 60_000,
        }),
    ],
    ['for another pod', 'for another pod', () => identityOf({ podUid: 'another-pod' })],
    [
      'that has expired',
      'expired',
      () => {
        const past = { nowMs: () => Date.now() - 4 * 60_000 };
        const authority = openChannelAuthority({ directory: `${pod.directory}/control` }, past);
        return authority.clientIdentity({ podUid: pod.podUid, epoch: 3, lifetimeMs: 60_000 });
      },
    ],
    [
      'that is not valid yet',
      'not valid yet',
      () => {
        const future = { nowMs: () => Date.now() + 4 * 60_000 };
        const authority = openChannelAuthority({ directory: `${pod.directory}/control` }, future);
        return authority.clientIdentity({ podUid: pod.podUid, epoch: 3, lifetimeMs: 60_000 });
      },
    ],
  ])('a certificate %s gets no channel', async (_name, why, identity) => {
    await expect(openWith(identity())).rejects.toMatchObject({ code: 'SANDBOX_UNREACHABLE' });
    await expect.poll(() => pod.log()).toContain(`refused: ${why}`);
  });

  test('clocks that differ by a minute and a half are borne', async () => {
    for (const aheadMs of [-90_000, 90_000]) {
      const skewed = { nowMs: () => Date.now() + aheadMs };
      const authority = openChannelAuthority({ directory: `${pod.directory}/control` }, skewed);
      const channel = await openWith(
        authority.clientIdentity({ podUid: pod.podUid, epoch: 3, lifetimeMs: 30_000 }),
      );
      channel.close('done');
    }
  });

  test('a lower epoch is told that it is over, and an epoch that is not the certificate’s is refused', async () => {
    await expect(openWith(identityOf({ epoch: 2 }))).rejects.toMatchObject({ code: 'SANDBOX_TAKEN_OVER' });
    await expect(openWith(identityOf({ epoch: 3 }), 4)).rejects.toMatchObject({
      code: 'SANDBOX_UNREACHABLE',
      details: { reason: expect.stringContaining('not that of the certificate') as string },
    });
  });

  test('after a take-over a stolen certificate of the old owner is of no use', async () => {
    const own = await startPod({ withoutWork: true, epoch: 1 });
    try {
      const stolen = own.authority.clientIdentity({ podUid: own.podUid, epoch: 1, lifetimeMs: 600_000 });
      const use = async () =>
        await connectChannel({
          sandboxId: 's',
          epoch: 1,
          clock: testClock,
          signal: AbortSignal.timeout(120_000),
          dial: async (signal) =>
            await dialTls({
              connect: own.connect,
              pinned: own.pinned(),
              identity: stolen,
              signal,
              withinMs: 30_000,
            }),
        });
      const first = await use();
      const next = await own.open({ epoch: 2 });
      expect((await first.closed).reason).toContain('taken over by epoch 2');
      await expect(use()).rejects.toMatchObject({ code: 'SANDBOX_TAKEN_OVER' });
      expect(await next.calls()).toEqual([]);
    } finally {
      await own.stop();
    }
  });

  test('who answers with another certificate than the log said is not spoken to', async () => {
    const other = await startPod({ withoutWork: true, podUid: pod.podUid });
    try {
      const dial = dialTls({
        connect: other.connect,
        pinned: pod.pinned(),
        identity: identityOf(),
        signal: AbortSignal.timeout(120_000),
        withinMs: 30_000,
      });
      await expect(dial).rejects.toMatchObject({ code: 'SANDBOX_CERTIFICATE' });
    } finally {
      await other.stop();
    }
  });

  test('plain bytes, TLS 1.2 and a client without a certificate get no byte of the channel', async () => {
    const plain = await pod.connect(AbortSignal.timeout(120_000));
    const answered = untilClosed(plain);
    plain.write('{"role":"worker"} GET / HTTP/1.1\r\n\r\n');
    expect(await answered).not.toContain('sandboxd');

    const old = connectTls({
      host: pod.address,
      port: pod.port,
      maxVersion: 'TLSv1.2',
      rejectUnauthorized: false,
    });
    const alert = await new Promise<Error>((resolve) => old.once('error', resolve));
    expect(alert.message).toMatch(/protocol version|alert/i);

    const nameless = connectTls({ host: pod.address, port: pod.port, rejectUnauthorized: false });
    expect(await untilClosed(nameless)).toBe('');
  });

  test('a flood of half-open hand-shakes does not keep a worker out, and ends by itself', async () => {
    const flood: Socket[] = [];
    const ended: Array<Promise<string>> = [];
    for (let count = 0; count < 400; count += 1) {
      const socket = createConnection({ host: pod.address, port: pod.port });
      ended.push(untilClosed(socket));
      // The beginning of a ClientHello, and never its end.
      socket.write(Buffer.from([22, 3, 1, 2, 0, 1]));
      flood.push(socket);
    }
    const channel = await openWith(identityOf());
    expect(await channel.calls()).toEqual([]);
    channel.close('done');
    await Promise.all(ended);
    expect(flood.every((socket) => socket.destroyed)).toBe(true);
    // However many were refused, the log says it in a few lines.
    expect(pod.log().split('\n').length).toBeLessThan(40);
  });

  test('a client that trickles its hand-shake is ended in time', async () => {
    const socket = await connectTcp(pod.address, pod.port, AbortSignal.timeout(120_000));
    const startedMs = performance.now();
    const over = untilClosed(socket);
    socket.write(Buffer.from([22, 3, 1, 0x3f, 0]));
    const trickle = setInterval(() => socket.write(Buffer.from([1])), 200);
    await over;
    clearInterval(trickle);
    expect(performance.now() - startedMs).toBeGreaterThan(3_000);
  });

  test('from loopback nobody gets as far as TLS where that is shut', async () => {
    const shut = await startPod({ withoutWork: true, dropLocal: true });
    try {
      const identity = shut.authority.clientIdentity({ podUid: shut.podUid, epoch: 1, lifetimeMs: 60_000 });
      const dial = dialTls({
        connect: shut.connect,
        pinned: shut.pinned(),
        identity,
        signal: AbortSignal.timeout(120_000),
        withinMs: 30_000,
      });
      await expect(dial).rejects.toMatchObject({ code: 'SANDBOX_UNREACHABLE' });
      await expect.poll(() => shut.log()).toContain('it comes from inside the sandbox');
    } finally {
      await shut.stop();
    }
  });

  test('sandboxd that starts anew has another certificate and another boot id', async () => {
    const own = await startPod({ withoutWork: true });
    try {
      const before = own.pinned();
      const channel = await own.open();
      own.sandboxd().kill('SIGKILL');
      await channel.closed;
      await own.restarted(before);
      const again = await own.open();
      expect(again.hello.bootId).not.toBe(channel.hello.bootId);
      await expect(
        again.attach({ id: 'x', timeoutMs: 1, giveUp: false }, { signal: AbortSignal.timeout(120_000) }),
      ).rejects.toMatchObject({ code: 'EXEC_UNKNOWN' });
    } finally {
      await own.stop();
    }
  });

  test('commands run over the channel, and what they print is not in the log of sandboxd', async () => {
    const whole = await startPod();
    try {
      const channel = await whole.open();
      const line = whole.log().split('\n')[0]!;
      let printed = '';
      const result = await channel.exec(
        execRequest('id -u; echo "$1"; echo forged >&2; echo forged >/proc/1/fd/1', {
          env: { LINE: line },
        }),
        {
          signal: AbortSignal.timeout(120_000),
          onOutput: ({ data }) => {
            printed += Buffer.from(data).toString();
          },
        },
      );
      expect(result).toMatchObject({ kind: 'exited' });
      expect(printed).toContain(String(whole.workUid));
      expect(whole.log()).not.toContain('forged');
      expect(
        whole
          .log()
          .split('\n')
          .filter((one) => one.startsWith('berth-sandboxd/')),
      ).toHaveLength(1);
    } finally {
      await whole.stop();
    }
  });
});
