import { execFile } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync, chmodSync } from 'node:fs';
import { join } from 'node:path';
import { spawn } from 'node:child_process';
import { promisify } from 'node:util';
import type { DoctorCheck } from '../../domain/doctor.ts';
import type { Host } from './host.ts';
import { launchArgv } from './launch.ts';
import { systemBinds } from './host-files.ts';

const run = promisify(execFile);

type Finding = Omit<DoctorCheck, 'ms'>;

/** Says what of the driver works here, by trying it, and how each limit is held. */
export async function probeHost(
  host: Host,
  stateDirectory: string,
  signal?: AbortSignal,
): Promise<{ readonly ok: boolean; readonly checks: readonly DoctorCheck[] }> {
  const checks: DoctorCheck[] = [];
  const timed = async (work: () => Finding[] | Promise<Finding[]>): Promise<void> => {
    const startMs = performance.now();
    const found = await work();
    const ms = Math.round(performance.now() - startMs);
    for (const finding of found) checks.push({ ...finding, ms });
  };
  await timed(() => [bubblewrap(host)]);
  if (host.bubblewrapVersion !== null) await timed(() => inside(host, stateDirectory, signal));
  await timed(() => tools(host));
  await timed(() => limits(host));
  return { ok: checks.every(({ state }) => state !== 'fail'), checks };
}

function bubblewrap(host: Host): Finding {
  const id = 'bubblewrap';
  if (host.bubblewrapVersion === null) {
    return {
      id,
      state: 'fail',
      sentence: 'bubblewrap is not installed.',
      fix: 'apt-get install -y --no-install-recommends bubblewrap',
    };
  }
  // 0.7 brought `--size`, which bounds memory-backed directories.
  const [major = 0, minor = 0] = host.bubblewrapVersion.split('.').map(Number);
  if (major === 0 && minor < 7) {
    return {
      id,
      state: 'fail',
      sentence: `bubblewrap ${host.bubblewrapVersion} is too old.`,
      fix: 'Install bubblewrap 0.7 or newer.',
    };
  }
  return { id, state: 'pass', sentence: `bubblewrap ${host.bubblewrapVersion} is installed.`, fix: null };
}

/** Starts an empty sandbox as a real one is started and looks at it from inside. */
async function inside(host: Host, stateDirectory: string, signal?: AbortSignal): Promise<Finding[]> {
  if (host.filter === null) {
    return [
      {
        id: 'seccomp',
        state: 'fail',
        sentence: `There is no system call filter for the processor ${process.arch}.`,
        fix: 'Use a machine with x86-64 or ARM64.',
      },
    ];
  }
  if (host.isRoot && !host.hasUids) {
    return [
      {
        id: 'sandbox-users',
        state: 'fail',
        sentence: 'This user namespace has no user ids 64000 to 64999, which root gives to sandboxes.',
        fix: 'Run Berth as an ordinary user, or give the container a user namespace with these ids.',
      },
    ];
  }
  const directory = mkdtempSync(join(stateDirectory, 'probe-'));
  chmodSync(directory, 0o711);
  try {
    const said = await look(host, host.filter, directory, signal);
    const has = (line: RegExp): boolean => line.test(said);
    const table = said.slice(said.indexOf('Inter-|'));
    const interfaces = [...table.matchAll(/^\s*([\w.-]+):\s+\d+\s/gm)].map(([, name]) => name!);
    return [
      {
        id: 'user-namespaces',
        state: 'pass',
        sentence: 'Programs start in namespaces of their own.',
        fix: null,
      },
      has(/^Seccomp:\s+2$/m) && has(/^NoNewPrivs:\s+1$/m) && has(/^CapEff:\s+0+$/m)
        ? {
            id: 'seccomp',
            state: 'pass',
            sentence:
              'They run under the system call filter, without capabilities and without new privileges.',
            fix: null,
          }
        : {
            id: 'seccomp',
            state: 'fail',
            sentence: 'The system call filter does not hold.',
            fix: 'Use a kernel with CONFIG_SECCOMP_FILTER.',
          },
      interfaces.join() === 'lo'
        ? {
            id: 'sandbox-network',
            state: 'pass',
            sentence: 'They have no network interface but loopback.',
            fix: null,
          }
        : {
            id: 'sandbox-network',
            state: 'fail',
            sentence: `They see the interfaces ${interfaces.join(', ')}.`,
            fix: 'Use a kernel with CONFIG_NET_NS.',
          },
    ];
  } catch (error) {
    return [
      {
        id: 'user-namespaces',
        state: 'fail',
        sentence: `bubblewrap cannot make namespaces here: ${error instanceof Error ? error.message.trim().split('\n').at(-1) : String(error)}`,
        fix: namespaceFix(host),
      },
    ];
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

function namespaceFix(host: Host): string {
  return host.isRoot
    ? 'Give this container the right to make namespaces (CAP_SYS_ADMIN, and a seccomp profile that allows unshare), or run Berth on the machine itself.'
    : 'sysctl -w kernel.unprivileged_userns_clone=1 user.max_user_namespaces=10000 kernel.apparmor_restrict_unprivileged_userns=0';
}

function look(host: Host, filter: Buffer, directory: string, signal?: AbortSignal): Promise<string> {
  const file = join(directory, 'filter.bpf');
  writeFileSync(file, filter);
  const system = systemBinds();
  const args = ['--unshare-all', '--uid', '1000', '--gid', '1000', '--die-with-parent', '--new-session'];
  args.push('--cap-drop', 'ALL', '--clearenv', '--seccomp', '3');
  for (const { path, target } of system.links) args.push('--symlink', target, path);
  for (const { source, target } of system.binds) args.push('--ro-bind', source, target);
  args.push('--proc', '/proc', '--dev', '/dev', '--', '/bin/cat', '/proc/self/status', '/proc/net/dev');
  const identity = host.isRoot ? ({ kind: 'dedicated', uid: 64_999 } as const) : ({ kind: 'self' } as const);
  const [program, ...rest] = launchArgv({ identity }, ['bwrap', ...args]);
  const descriptor = openSync(file, 'r');
  return new Promise((resolve, reject) => {
    const child = spawn(program!, rest, {
      stdio: ['ignore', 'pipe', 'pipe', descriptor],
      env: { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' },
      timeout: 20_000,
      ...(signal === undefined ? {} : { signal }),
    });
    closeSync(descriptor);
    let [out, err] = ['', ''];
    child.stdout!.on('data', (chunk: Buffer) => (out += chunk.toString()));
    child.stderr!.on('data', (chunk: Buffer) => (err += chunk.toString()));
    child.once('error', reject);
    child.once('close', (code) =>
      code === 0 ? resolve(out) : reject(new Error(err || `it ended with ${code}`)),
    );
  });
}

/** Programs of util-linux that start and limit a sandbox. */
async function tools(host: Host): Promise<Finding[]> {
  const needed = host.isRoot ? ['prlimit', 'setpriv', 'unshare', 'mount'] : ['prlimit'];
  const missing: string[] = [];
  for (const name of needed) {
    await run(name, ['--version'], { timeout: 5_000 }).catch(() => missing.push(name));
  }
  return missing.length === 0
    ? []
    : [
        {
          id: 'sandbox-tools',
          state: 'fail',
          sentence: `Missing: ${missing.join(', ')}.`,
          fix: 'apt-get install -y --no-install-recommends util-linux mount',
        },
      ];
}

function limits(host: Host): Finding[] {
  const { version, parents } = host.cgroups;
  const groups = `control groups version ${version}`;
  const memory = parents.has('memory')
    ? `memory by ${groups}`
    : 'memory by looking five times a second, and RLIMIT_DATA';
  const processes = parents.has('pids')
    ? `processes by ${groups} and RLIMIT_NPROC`
    : 'processes by RLIMIT_NPROC';
  const cpu = parents.has('cpu') ? `processor time by ${groups}` : 'processor time not at all';
  const whole = parents.has('memory') && parents.has('pids') && parents.has('cpu');
  return [
    {
      id: 'sandbox-limits',
      state: whole ? 'pass' : 'warn',
      sentence: `Held: ${memory}; ${processes}; ${cpu}; open files and file size by rlimits.`,
      fix: whole
        ? null
        : 'Run Berth as root, or where it may write to /sys/fs/cgroup, to hold a sandbox as a whole.',
    },
    host.noDiskImages === null
      ? {
          id: 'sandbox-disk',
          state: 'pass',
          sentence: 'Disk is held by a file system of its own for each sandbox.',
          fix: null,
        }
      : {
          id: 'sandbox-disk',
          state: 'warn',
          sentence: `Disk is watched every 2 s, not held: no file system of its own (${host.noDiskImages}).`,
          fix: 'Run Berth as root with loop devices and mkfs.ext4 (e2fsprogs) to hold it exactly.',
        },
  ];
}
