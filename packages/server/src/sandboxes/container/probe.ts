import { statSync } from 'node:fs';
import type { DoctorCheck } from '../../domain/doctor.ts';
import { asBerthError } from '../../domain/errors/index.ts';
import { engineSockets, findEngine, oldestVersion, type Engine } from './engine.ts';
import { identityOn } from './identity.ts';

type Finding = Omit<DoctorCheck, 'ms'>;

export interface EngineProbe {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly toolsDirectory: () => Promise<string>;
  readonly noDiskImages: () => Promise<string | null>;
  readonly signal?: AbortSignal;
}

/** Says what of the driver works here, how each limit is held, and the command that mends what does not. */
export async function probeEngine(
  probe: EngineProbe,
): Promise<{ readonly ok: boolean; readonly checks: readonly DoctorCheck[] }> {
  const checks: DoctorCheck[] = [];
  const timed = async (look: () => Finding[] | Promise<Finding[]>): Promise<void> => {
    const startMs = performance.now();
    const found = await look();
    const ms = Math.round(performance.now() - startMs);
    for (const finding of found) checks.push({ ...finding, ms });
  };
  let engine: Engine | null = null;
  await timed(async () => {
    try {
      engine = await findEngine(probe.env, probe.signal);
      return [reached(engine)];
    } catch (error) {
      return [unreachable(asBerthError(error).message, probe.env)];
    }
  });
  const found = engine as Engine | null;
  if (found !== null) {
    await timed(() => [user(found), limits(found), storage(found)]);
    await timed(async () => [await tools(probe), await disk(probe)]);
  }
  return { ok: found !== null && checks.every(({ state }) => state !== 'fail'), checks };
}

function reached({ kind, version, socketPath, isRootless }: Engine): Finding {
  const name = kind === 'podman' ? 'Podman' : 'Docker';
  const sentence = `${name} ${version} answers at ${socketPath}${isRootless ? ', as an ordinary user' : ''}.`;
  const oldest = oldestVersion[kind];
  if (Number.parseInt(version, 10) >= oldest)
    return { id: 'container-engine', state: 'pass', sentence, fix: null };
  return { id: 'container-engine', state: 'fail', sentence, fix: `Install ${name} ${oldest} or newer.` };
}

/** The fix is for what is here already: a daemon that is not started, a socket that is somebody else's. */
function unreachable(sentence: string, env: EngineProbe['env']): Finding {
  const id = 'container-engine';
  const isRoot = process.getuid?.() === 0;
  const has = (path: string): boolean => {
    try {
      statSync(path);
      return true;
    } catch {
      return false;
    }
  };
  const isNamed = (env['DOCKER_HOST'] ?? env['CONTAINER_HOST'] ?? '') !== '';
  const sockets = isNamed ? [] : engineSockets(env).filter(has);
  const fix = ((): string => {
    if (isNamed) return 'Set DOCKER_HOST to unix:// and the path of an engine of this machine, or unset it.';
    const [there] = sockets;
    if (there !== undefined && !isRoot)
      return there.includes('docker') ? 'sudo usermod -aG docker "$USER" && newgrp docker' : `ls -l ${there}`;
    if (has('/usr/bin/dockerd')) return 'sudo systemctl enable --now docker';
    const start = isRoot
      ? 'systemctl enable --now podman.socket'
      : 'systemctl --user enable --now podman.socket && loginctl enable-linger';
    if (has('/usr/bin/podman'))
      return has('/run/systemd/system')
        ? start
        : 'podman system service --time 0 unix:///run/podman/podman.sock &';
    const install = 'apt-get install -y --no-install-recommends podman runc conmon netavark uidmap';
    return `${isRoot ? '' : 'sudo '}${install} && ${start}`;
  })();
  // Nothing was named and nothing is there: whoever has no profile with an image misses nothing.
  if (!isNamed && sockets.length === 0)
    return {
      id,
      state: 'skip',
      sentence: 'No container engine runs here; only sandbox profiles with an image need one.',
      fix,
    };
  return { id, state: 'fail', sentence, fix };
}

function user(engine: Engine): Finding {
  const id = 'container-user';
  try {
    const sentences = {
      dedicated: 'Each sandbox has a user id of its own.',
      self: "Sandboxes have Berth's own user id: whoever breaks out of one is that user.",
      kept: "Sandboxes have Berth's own user id in a user namespace.",
      'inner-root': "Sandboxes are root of a user namespace, which outside is Berth's own user.",
    } as const;
    const { kind } = identityOn(engine);
    const fix = 'Use a rootless engine (podman.socket of the user), or run Berth as root.';
    return kind === 'self'
      ? { id, state: 'warn', sentence: sentences[kind], fix }
      : { id, state: 'pass', sentence: sentences[kind], fix: null };
  } catch (error) {
    return {
      id,
      state: 'fail',
      sentence: asBerthError(error).message,
      fix: 'Run Berth as the user whose engine it is, or point DOCKER_HOST to the engine of root.',
    };
  }
}

function limits({ holds, isRootless }: Engine): Finding {
  const id = 'container-limits';
  const missing = [
    ...(holds.memory ? [] : ['memory (watched five times a second instead)']),
    ...(holds.cpu ? [] : ['processor time']),
    ...(holds.processes ? [] : ['processes']),
  ];
  if (missing.length === 0) {
    const sentence = `Held by control groups: memory, processor time, processes${holds.swap ? '' : '; swap is not counted'}.`;
    return { id, state: 'pass', sentence, fix: null };
  }
  return {
    id,
    state: 'warn',
    sentence: `The engine does not hold: ${missing.join(', ')}.`,
    fix: isRootless
      ? "printf '[Service]\\nDelegate=cpu cpuset io memory pids\\n' | sudo tee /etc/systemd/system/user@.service.d/delegate.conf --output-error && sudo systemctl daemon-reload, then sign in again"
      : 'Boot with cgroup_enable=memory swapaccount=1, on control groups version 2.',
  };
}

function storage({ storage: driver }: Engine): Finding {
  const id = 'container-storage';
  if (driver !== 'vfs') return { id, state: 'pass', sentence: `Images are stored by ${driver}.`, fix: null };
  return {
    id,
    state: 'warn',
    sentence: 'Images are stored by vfs, which copies the whole image for every sandbox.',
    fix: 'Set driver = "overlay" in /etc/containers/storage.conf (install fuse-overlayfs for a rootless engine), then podman system reset.',
  };
}

async function tools({ toolsDirectory }: EngineProbe): Promise<Finding> {
  const id = 'container-tools';
  try {
    const path = await toolsDirectory();
    return { id, state: 'pass', sentence: `The tools for images are at ${path}.`, fix: null };
  } catch (error) {
    return {
      id,
      state: 'fail',
      sentence: asBerthError(error).message,
      fix: 'Run Berth on a system with the GNU C library (Debian, Ubuntu, Fedora …) and git.',
    };
  }
}

async function disk({ noDiskImages }: EngineProbe): Promise<Finding> {
  const why = await noDiskImages();
  return why === null
    ? {
        id: 'container-disk',
        state: 'pass',
        sentence: 'Disk is held by a file system of its own for each sandbox.',
        fix: null,
      }
    : {
        id: 'container-disk',
        state: 'warn',
        sentence: `Disk is watched every 2 s, not held: no file system of its own (${why}).`,
        fix: 'Run Berth as root with loop devices and mkfs.ext4 (e2fsprogs) to hold it exactly.',
      };
}
