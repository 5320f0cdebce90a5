import { execFileSync, spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { chmodSync, chownSync, existsSync, mkdirSync, mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { once } from 'node:events';
import { createConnection } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { Duplex } from 'node:stream';
import { runnerEnvironment, runnerPodArgv, sandboxdBundle, sandboxdPodArgv } from '@berth/sandboxd';
import type { NetworkGate, RunnerPodLaunch } from '@berth/sandboxd';
import { openChannelAuthority } from '../channel/authority.ts';
import type { ChannelAuthority } from '../channel/authority.ts';
import type { Channel } from '../channel/channel.ts';
import { connectChannel } from '../channel/connect.ts';
import type { OpenOptions } from '../channel/connect.ts';
import { dialTls } from '../channel/dial-tls.ts';
import { readCertificateLine } from '../channel/sandboxd-certificate.ts';
import type { PinnedCertificate } from '../channel/sandboxd-certificate.ts';
import type { PodNetwork } from './pod-network.ts';
import { testClock } from './test-clock.ts';

/** A pod has two uids of its own, far from those of people and of other drivers. */
const firstUid = 200_000;

export interface PodOptions {
  readonly podUid?: string;
  readonly epoch?: number;
  /** Absent: the machine's own loopback. */
  readonly network?: PodNetwork;
  readonly dropLocal?: boolean;
  readonly gate?: NetworkGate;
  readonly limits?: Partial<RunnerPodLaunch['limits']>;
  readonly shell?: readonly string[];
  /** sandboxd alone. */
  readonly withoutWork?: boolean;
}

/** The two containers of a pod as processes of this machine, started again when they end as the kubelet would. */
export interface Pod {
  readonly podUid: string;
  readonly workUid: number;
  readonly authority: ChannelAuthority;
  readonly directory: string;
  readonly address: string;
  readonly port: number;
  /** What sandboxd's present process says who it is. */
  readonly pinned: () => PinnedCertificate;
  /** All that sandboxd printed, starts one after the other. */
  readonly log: () => string;
  /** The outermost process of each. */
  readonly sandboxd: () => ChildProcess;
  readonly work: () => ChildProcess;
  /** Resolves when sandboxd has printed a certificate that differs from `before`. */
  restarted(before: PinnedCertificate): Promise<PinnedCertificate>;
  /** TCP to sandboxd. */
  readonly connect: (signal: AbortSignal) => Promise<Duplex>;
  open(options?: Partial<OpenOptions> & { readonly identityEpoch?: number }): Promise<Channel>;
  stop(): Promise<void>;
}

export const podIsMissing: string | null =
  process.getuid?.() !== 0 ? 'root' : existsSync('/usr/bin/bwrap') ? null : 'bubblewrap';

let nextUid = 0;

/** Starts sandboxd and `work`; resolves when sandboxd listens. */
export async function startPod(options: PodOptions = {}): Promise<Pod> {
  const bundle = await sandboxdBundle();
  const sandboxdUid = firstUid + 2 * randomInt(10_000);
  const workUid = sandboxdUid + 1;
  const directory = mkdtempSync(join(tmpdir(), 'berth-pod-'));
  const place = (name: string, uid: number, mode: number): string => {
    const path = join(directory, name);
    mkdirSync(path);
    chownSync(path, uid, uid);
    chmodSync(path, mode);
    return path;
  };
  chmodSync(directory, 0o711);
  const shared = place('shared', sandboxdUid, 0o755);
  const spool = place('spool', sandboxdUid, 0o700);
  const workspace = place('workspace', workUid, 0o700);
  const podUid = options.podUid ?? `pod-${process.pid}-${(nextUid += 1)}`;
  const authority = openChannelAuthority({ directory: join(directory, 'control') }, testClock);
  const address = options.network?.podAddress ?? '127.0.0.1';
  const wantedPort = options.network === undefined ? 0 : 7443;
  const prefix = options.network?.prefix ?? [];
  const asUser = (uid: number): string[] => [
    'setpriv',
    '--reuid',
    String(uid),
    '--regid',
    String(uid),
    '--clear-groups',
    '--inh-caps=-all',
    '--bounding-set=-all',
    '--no-new-privs',
    '--',
  ];
  let log = '';
  const up: { current: { pinned: PinnedCertificate; port: number } | null } = { current: null };
  let isStopped = false;
  const listening = new Set<() => void>();

  const keepUp = (argv: readonly string[], env: Record<string, string>, onLine?: (line: string) => void) => {
    const state: { child: ChildProcess } = { child: start() };
    function start(): ChildProcess {
      const child = spawn(argv[0]!, argv.slice(1), { env, stdio: ['ignore', 'pipe', 'pipe'] });
      let pending = '';
      child.stdout?.on('data', (chunk: Buffer) => {
        const lines = (pending + chunk.toString('utf8')).split('\n');
        pending = lines.pop() ?? '';
        for (const line of lines) onLine?.(line);
      });
      child.stderr?.on('data', (chunk: Buffer) => {
        if (onLine !== undefined) log += chunk.toString('utf8');
        else if (process.env['POD_DEBUG'] !== undefined) process.stderr.write(chunk);
      });
      child.once('close', () => {
        if (!isStopped) setTimeout(() => (isStopped ? null : (state.child = start())), 100);
      });
      return child;
    }
    return state;
  };

  let first: string | null = null;
  const sandboxd = keepUp(
    [
      ...prefix,
      ...asUser(sandboxdUid),
      ...sandboxdPodArgv({
        node: process.execPath,
        bundle: bundle.sandboxd,
        sandboxId: 's',
        listen: { host: '0.0.0.0', port: wantedPort },
        channelPublicKeyPem: authority.publicKeyPem,
        podUid: { env: 'POD_UID' },
        runnerSocket: join(shared, 'runner.sock'),
        spoolDirectory: spool,
        epoch: options.epoch ?? 1,
        dropLocal: options.dropLocal ?? options.network !== undefined,
        ...(options.gate === undefined ? {} : { gate: options.gate }),
      }),
    ],
    { PATH: '/usr/bin:/bin:/usr/sbin:/sbin', POD_UID: podUid },
    (line) => {
      log += `${line}\n`;
      if (first === null) first = line;
      else if (line.startsWith('{"ready"')) {
        up.current = {
          pinned: readCertificateLine(first),
          port: (JSON.parse(line) as { port: number }).port,
        };
        first = null;
        for (const done of listening) done();
      }
    },
  );
  const changed = (): Promise<void> =>
    new Promise((resolve) => {
      const done = (): void => {
        listening.delete(done);
        resolve();
      };
      listening.add(done);
    });

  const work =
    options.withoutWork === true
      ? null
      : keepUp(
          [...prefix, ...asUser(workUid), ...isolatedWork(options, bundle.runner, shared, workspace)],
          runnerEnvironment({ PATH: '/usr/bin:/bin', HOME: '/tmp', TMPDIR: '/tmp' }),
        );
  while (up.current === null) await changed();
  const now = (): { pinned: PinnedCertificate; port: number } => up.current!;

  const pod: Pod = {
    podUid,
    workUid,
    authority,
    directory,
    address,
    get port() {
      return now().port;
    },
    pinned: () => now().pinned,
    log: () => log,
    sandboxd: () => sandboxd.child,
    work: () => work!.child,
    async restarted(before) {
      while (now().pinned.fingerprint === before.fingerprint) await changed();
      return now().pinned;
    },
    connect: (signal) => connectTcp(address, now().port, signal),
    open: async ({ identityEpoch, ...rest } = {}) => {
      const epoch = rest.epoch ?? 1;
      const { pinned } = now();
      return await connectChannel({
        sandboxId: 's',
        epoch,
        clock: testClock,
        signal: AbortSignal.timeout(120_000),
        ...rest,
        dial: (signal) =>
          dialTls({
            connect: pod.connect,
            pinned,
            identity: authority.clientIdentity({
              podUid,
              epoch: identityEpoch ?? epoch,
              lifetimeMs: 60_000,
            }),
            signal,
            withinMs: 30_000,
          }),
      });
    },
    async stop() {
      isStopped = true;
      const children = [sandboxd.child, ...(work === null ? [] : [work.child])];
      await Promise.all(
        children.map(async (child) => {
          if (child.exitCode !== null || child.signalCode !== null) return;
          const ended = once(child, 'close');
          child.kill('SIGKILL');
          await ended;
        }),
      );
      rmSync(directory, { recursive: true, force: true });
    },
  };
  return pod;
}

/** `work` in namespaces of its own but for the network, which it shares with sandboxd. */
function isolatedWork(options: PodOptions, runner: string, shared: string, workspace: string): string[] {
  const node = realpathSync(process.execPath);
  const system = ['usr', 'bin', 'lib', 'lib64', 'sbin', 'etc']
    .filter((name) => existsSync(`/${name}`))
    .flatMap((name) => ['--ro-bind', realpathSync(`/${name}`), `/${name}`]);
  return [
    'bwrap',
    '--unshare-user',
    '--unshare-pid',
    '--unshare-ipc',
    '--unshare-uts',
    '--as-pid-1',
    '--die-with-parent',
    ...system,
    '--proc',
    '/proc',
    '--dev',
    '/dev',
    '--tmpfs',
    '/tmp',
    '--ro-bind',
    dirname(node),
    '/berth/node',
    '--ro-bind',
    dirname(runner),
    '/berth/program',
    '--ro-bind',
    shared,
    '/berth/run',
    '--bind',
    workspace,
    '/workspace',
    '--chdir',
    '/workspace',
    '--',
    ...runnerPodArgv({
      node: '/berth/node/node',
      bundle: '/berth/program/runner.mjs',
      sandboxId: 's',
      socket: '/berth/run/runner.sock',
      egressPort: 0,
      ...(options.shell === undefined ? {} : { shell: options.shell }),
      limits: { processes: 200, fileBytes: 64 * 1024 * 1024, openFiles: 1024, ...options.limits },
    }),
  ];
}

/** TCP, or the reason it cannot be. */
export function connectTcp(host: string, port: number, signal: AbortSignal): Promise<Duplex> {
  return new Promise((resolve, reject) => {
    const socket = createConnection({ host, port, noDelay: true, signal });
    socket.once('connect', () => resolve(socket));
    socket.on('error', reject);
  });
}

/** The host's number of the first process in the innermost pid namespace below a process. */
export function innermostPid(outer: number): number {
  const child = (pid: number): number | null => {
    const text = execFileSync('sh', ['-c', 'cat "/proc/$1/task/$1/children"', 'sh', String(pid)]).toString();
    return Number(text.trim().split(' ')[0]) || null;
  };
  const name = (pid: number): string =>
    execFileSync('sh', ['-c', 'readlink "/proc/$1/ns/pid"', 'sh', String(pid)]).toString();
  const own = name(process.pid);
  for (let pid: number | null = outer; pid !== null; pid = child(pid)) if (name(pid) !== own) return pid;
  throw new Error('there is no process in a pid namespace of its own');
}
