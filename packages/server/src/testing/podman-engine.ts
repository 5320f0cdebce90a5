import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, openSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { importImages } from './podman-images.ts';

/** Names of the images that tests run in. */
export const testImages = {
  /** glibc, bash, coreutils, perl: programs of this machine. */
  debian: 'localhost/berth-debian:test',
  /** One static busybox, and musl's loader where it is installed: no glibc anywhere. */
  busybox: 'localhost/berth-busybox:test',
} as const;

/** What a Podman of a directory's own needs in its environment. */
export function podmanEnvironment(root: string): NodeJS.ProcessEnv {
  return {
    PATH: process.env['PATH'],
    HOME: root,
    CONTAINERS_CONF: join(root, 'containers.conf'),
    CONTAINERS_STORAGE_CONF: join(root, 'storage.conf'),
  };
}

// Debian's Podman 4.3: crun refuses hybrid control groups; without both ulimits it asks for more than root may have here.
const containersConf = `[containers]
default_ulimits = ["nofile=16384:16384","nproc=4096:4096"]
log_driver = "k8s-file"
[network]
network_backend = "netavark"
[engine]
cgroup_manager = "cgroupfs"
events_logger = "none"
runtime = "runc"
exit_command_delay = 5
`;

const storageConf = (root: string, driver: string): string => `[storage]
driver = "${driver}"
graphroot = "${join(root, 'storage')}"
runroot = "${join(root, 'run')}"
`;

/** Starts the service anew whenever it ends, until it is told to stop. */
const supervisor = `
trap 'kill "$pid" 2>/dev/null; exit 143' TERM
while :; do "$@" & pid=$!; wait "$pid"; sleep 0.2; done
`;

/**
 * The socket of the Podman whose directory is `root`: started with its images by whoever comes first, in any process.
 */
export async function podmanSocket(root: string): Promise<string> {
  const socket = join(root, 'podman.sock');
  const ready = join(root, 'ready');
  const failed = join(root, 'failed');
  try {
    mkdirSync(root, { mode: 0o711 });
  } catch {
    while (!existsSync(ready)) {
      if (existsSync(failed))
        throw new Error('Podman did not start; the first test that needed it says why.');
      await sleep(50);
    }
    return socket;
  }
  try {
    await start(root, socket);
    writeFileSync(ready, '');
    return socket;
  } catch (error) {
    writeFileSync(failed, '');
    throw error;
  }
}

async function start(root: string, socket: string): Promise<void> {
  const env = podmanEnvironment(root);
  writeFileSync(join(root, 'containers.conf'), containersConf);
  writeFileSync(join(root, 'storage.conf'), storageConf(root, 'overlay'));
  try {
    execFileSync('podman', ['info'], { env, stdio: 'ignore' });
  } catch {
    // A machine whose own disk is an overlay has no second one on top.
    rmSync(join(root, 'storage'), { recursive: true, force: true });
    writeFileSync(join(root, 'storage.conf'), storageConf(root, 'vfs'));
  }
  await importImages(root, env, testImages);
  const log = openSync(join(root, 'service.log'), 'a');
  const service = spawn(
    '/bin/sh',
    ['-c', supervisor, 'podman-service', 'podman', 'system', 'service', '--time', '0', `unix://${socket}`],
    { env, detached: true, stdio: ['ignore', log, log] },
  );
  const temporary = join(root, 'service.pid.tmp');
  writeFileSync(temporary, String(service.pid));
  renameSync(temporary, join(root, 'service.pid'));
  service.unref();
  while (!existsSync(socket)) await sleep(20);
}
