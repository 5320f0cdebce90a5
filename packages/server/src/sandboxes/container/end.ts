import { setTimeout as sleep } from 'node:timers/promises';
import type Docker from 'dockerode';
import { endSandbox } from '../local/end.ts';
import type { Place } from '../local/place.ts';
import { unmountDisk } from './disk.ts';
import { engineClient, engineStatus } from './engine.ts';
import { labels } from './plan.ts';

/** Engines take a moment to remove what they are still starting, or already removing. */
const removeMs = 10_000;

/**
 * Ends everything of a container sandbox, from whatever state it is in: sandboxd, the container, the disk, the directory.
 * @param engine socket of the engine, where the sandbox's record does not name one; null: there is none
 */
export async function endContainerSandbox(place: Place, name: string, engine: string | null): Promise<void> {
  const record = place.read();
  const socketPath = record?.container?.engine ?? engine;
  const removeAll = async (): Promise<void> => {
    if (socketPath !== null) {
      const docker = await engineClient(socketPath);
      // Before the container whose network they share: an engine may refuse to remove that one first.
      await removeServices(docker, name);
      await removeContainer(docker, name);
    }
    await unmountDisk(place);
  };
  if (record === null) await removeAll();
  await endSandbox(place, removeAll);
}

/** Removes every container beside the one of that name, also of a worker that died while it made them. */
export async function removeServices(docker: Docker, name: string): Promise<void> {
  const found = await docker.listContainers({ all: true, filters: { label: [`${labels.parent}=${name}`] } });
  await Promise.all(found.map(({ Id }) => removeContainer(docker, Id)));
}

/** Kills and removes a container with its anonymous volumes; fine when there is none. */
export async function removeContainer(docker: Docker, name: string): Promise<void> {
  const container = docker.getContainer(name);
  // Podman's forced removal waits for a polite end first.
  await container.kill({ signal: 'KILL' }).catch(() => undefined);
  const deadline = performance.now() + removeMs;
  for (;;) {
    try {
      await container.remove({ force: true, v: true });
      return;
    } catch (error) {
      if (engineStatus(error) === 404) return;
      if (performance.now() > deadline) throw error;
      await sleep(50);
    }
  }
}
