import { once } from 'node:events';
import { existsSync } from 'node:fs';
import type { Duplex } from 'node:stream';
import type { SandboxNotice } from '@berth/protocol';
import { afterEach, describe, expect, test } from 'vitest';
import type { ExecRequest, ExecResult } from '../domain/ports/sandbox.ts';
import { execRequest } from '../testing/exec-helper.ts';
import { innermostPid, podIsMissing, startPod } from '../testing/pod-processes.ts';
import type { Pod, PodOptions } from '../testing/pod-processes.ts';
import { testClock } from '../testing/test-clock.ts';
import type { Channel } from './channel.ts';
import { connectChannel } from './connect.ts';
import { dialTls } from './dial-tls.ts';

let pod: Pod | null = null;
afterEach(async () => {
  await pod?.stop();
  pod = null;
});

async function start(options: PodOptions = {}): Promise<Pod> {
  pod = await startPod(options);
  return pod;
}

interface Ran {
  readonly result: ExecResult;
  readonly printed: string;
}

async function run(channel: Channel, script: string, over: Partial<ExecRequest> = {}): Promise<Ran> {
  let printed = '';
  const result = await channel.exec(execRequest(script, over), {
    signal: AbortSignal.timeout(240_000),
    onOutput: ({ data }) => {
      printed += Buffer.from(data).toString();
    },
  });
  return { result, printed };
}

/** Starts a call and resolves when it printed something. */
async function running(channel: Channel, script: string): Promise<{ readonly done: Promise<ExecResult> }> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const done = channel.exec(execRequest(script), {
    signal: AbortSignal.timeout(240_000),
    onOutput: () => resolve(),
  });
  done.catch(reject);
  await promise;
  return { done };
}

const shells: Array<readonly string[]> = [
  ['/bin/sh'],
  ['/bin/bash'],
  ['/bin/bash', '--posix'],
  ['/usr/bin/busybox', 'sh'],
].filter(([program]) => existsSync(program!));

describe.skipIf(podIsMissing !== null)(
  `the two containers of a pod (missing: ${podIsMissing ?? 'nothing'})`,
  () => {
    test.each(shells.map((shell) => ({ name: shell.join(' '), shell })))(
      'with $name as pid 1 the limits hold, children are reaped and its end is 143',
      async ({ shell }) => {
        const started = await start({
          shell,
          limits: { processes: 100, fileBytes: 8 * 1024 * 1024, openFiles: 777 },
        });
        const channel = await started.open();
        const { printed } = await run(channel, 'cat /proc/self/limits; tr "\\0" " " </proc/1/cmdline');
        expect(printed).toMatch(/Max processes +132 +132 /);
        expect(printed).toMatch(/Max file size +8388608 +8388608 /);
        expect(printed).toMatch(/Max open files +777 +777 /);
        expect(printed).toMatch(/Max core file size +0 +0 /);
        expect(printed).toContain(shell[0]);
        // Orphans go to pid 1; a second later none of them may be a zombie.
        await run(channel, 'for i in 1 2 3 4 5; do (setsid sh -c "sleep 0.1 & exit" &); done');
        const zombies = async (): Promise<string> =>
          (await run(channel, 'cat /proc/[0-9]*/stat 2>/dev/null | grep -c ") Z"')).printed.trim();
        await expect.poll(zombies).toBe('0');
        const ended = new Promise((resolve) => started.work().once('exit', resolve));
        process.kill(innermostPid(started.work().pid!), 'SIGTERM');
        expect(await ended).toBe(143);
      },
    );

    test('a memory kill of everything in work: the call ends as lost, the workspace stays, the next one runs', async () => {
      const started = await start();
      const notices: SandboxNotice[] = [];
      const channel = await started.open({ onNotice: (notice) => notices.push(notice) });
      for (const round of [1, 2]) {
        const call = await running(channel, `echo ${round} >>kept; sync; echo up; sleep 100`);
        // What the kernel does on cgroup v2 when the container is over its limit.
        process.kill(innermostPid(started.work().pid!), 'SIGKILL');
        expect(await call.done).toEqual({ kind: 'lost', what: 'runner' });
      }
      expect((await run(channel, 'cat kept')).printed).toBe('1\n2\n');
      expect(
        notices.map((notice) => ('generation' in notice ? `${notice.t} ${notice.generation}` : notice.t)),
      ).toEqual(['runner-up 1', 'runner-lost 1', 'runner-up 2', 'runner-lost 2', 'runner-up 3']);
    });

    test('a killed runner is replaced inside of work, and its commands are gone', async () => {
      const channel = await (await start()).open();
      const call = await running(channel, 'echo up; exec sleep 54321');
      await run(channel, 'kill -9 $PPID');
      expect(await call.done).toEqual({ kind: 'lost', what: 'runner' });
      expect((await run(channel, 'pgrep -f "[s]leep 54321" || echo gone')).printed).toBe('gone\n');
    });

    test('sandboxd that dies is back with nothing of its journal; work stays, its commands end', async () => {
      const started = await start();
      const first = await started.open();
      const worksPid = started.work().pid;
      await run(first, 'echo kept >file');
      const request = execRequest('echo up; sleep 100');
      const call = first.exec(request, { signal: AbortSignal.timeout(240_000) });
      const before = started.pinned();
      started.sandboxd().kill('SIGKILL');
      await first.closed;
      expect(await call).toEqual({ kind: 'lost', what: 'sandbox' });
      await started.restarted(before);
      const second = await started.open();
      expect(second.hello.bootId).not.toBe(first.hello.bootId);
      expect(await second.calls()).toEqual([]);
      expect((await run(second, 'cat file; pgrep -x sleep || echo none')).printed).toBe('kept\nnone\n');
      expect(started.work().pid).toBe(worksPid);
    });

    test('work reads the shared volume and cannot write to it, and sees nothing of sandboxd', async () => {
      const started = await start();
      const channel = await started.open();
      const script = `
    ls /berth/run
    for path in /berth/run/x /berth/run/runner.sock.generation; do echo 99 >"$path" && echo wrote; done 2>/dev/null
    rm -f /berth/run/runner.sock 2>/dev/null && echo removed
    cat /proc/[0-9]*/cmdline | tr "\\0" " " | grep -c "[s]andboxd.mjs"
    ls ${started.directory} 2>&1`;
      const { printed } = await run(channel, script);
      expect(printed.split('\n').slice(0, 3)).toEqual(['runner.sock', 'runner.sock.generation', '0']);
      expect(printed).toMatch(/No such file/);
    });

    test('a command that takes all memory ends with that reason, and nothing else does', async () => {
      const channel = await (await start({ limits: { memoryBytes: 400 * 1024 * 1024 } })).open();
      const bystander = await running(channel, 'echo up; sleep 100');
      // Grows by what a read brings, so that a look comes in between.
      const hog =
        '/berth/node/node -e "const kept = []; setInterval(() => kept.push(Buffer.alloc(8 << 20, 1)), 20)"';
      const { result } = await run(channel, hog);
      expect(result).toMatchObject({ kind: 'exited', outOfMemory: true });
      expect((await channel.calls()).filter(({ running: runs }) => runs)).toHaveLength(1);
      const own = await run(channel, 'kill -9 $$');
      expect(own.result).toMatchObject({ kind: 'exited', signal: 'SIGKILL', outOfMemory: false });
      bystander.done.catch(() => {});
    });

    test('a fork bomb ends with its call, and the next command runs', async () => {
      const channel = await (await start({ limits: { processes: 60 } })).open();
      await run(channel, 'bomb() { bomb | bomb & }; bomb; sleep 3', { timeoutMs: 5_000 });
      expect((await run(channel, 'echo fine')).printed).toContain('fine');
    });

    test('sandboxd ends with 143 on SIGTERM', async () => {
      const started = await start({ withoutWork: true });
      const ended = new Promise((resolve) => started.sandboxd().once('exit', resolve));
      started.sandboxd().kill('SIGTERM');
      expect(await ended).toBe(143);
    });
    test('egress has a connection of its own when asked for, and the first one when that ends', async () => {
      const started = await start();
      const dialled: Duplex[] = [];
      const channel = await connectChannel({
        sandboxId: 's',
        epoch: 1,
        clock: testClock,
        signal: AbortSignal.timeout(120_000),
        secondConnection: true,
        onEgressStream: (stream) => stream.on('error', () => {}).end('from outside'),
        dial: async (signal) => {
          const { podUid, authority } = started;
          const identity = authority.clientIdentity({ podUid, epoch: 1, lifetimeMs: 60_000 });
          const pinned = started.pinned();
          const socket = await dialTls({
            connect: started.connect,
            pinned,
            identity,
            signal,
            withinMs: 30_000,
          });
          dialled.push(socket);
          return socket;
        },
      });
      const script = 'exec 3<>"/dev/tcp/127.0.0.1/${HTTP_PROXY##*:}"; cat <&3';
      expect((await run(channel, script)).printed).toBe('from outside');
      expect(dialled).toHaveLength(2);
      const over = once(dialled[1]!, 'close');
      dialled[1]!.destroy();
      await over;
      await expect.poll(async () => (await run(channel, script)).printed).toBe('from outside');
      const first = once(dialled[0]!, 'close');
      channel.close('done');
      await first;
    });
  },
);
