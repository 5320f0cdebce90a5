import { readlink, realpath } from 'node:fs/promises';
import { basename, dirname, join, sep } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { BerthError } from '../domain/errors/index.ts';
import type { SecretSource } from '../domain/ports/secret-source.ts';
import { readBoundedFile, unreadable } from './bounded-file.ts';

/** A swap removes the old directory right after the link has moved: the second look sees the new one. */
const mostLooks = 5;
const betweenLooksMs = 20;

/**
 * A Kubernetes Secret mounted as a volume: `/mount/key`. The kubelet writes each version to a directory of its own and
 * swaps the link `..data`; the key is read from the version the link names at that moment, and from nowhere else: not
 * through a link that leads out of the mount, nor from a `subPath` mount, which never sees a rotation.
 */
export function kubernetesSource(): SecretSource {
  return {
    kind: 'kubernetes',
    async read(place, signal) {
      for (let look = 1; ; look += 1) {
        signal.throwIfAborted();
        try {
          return await readMounted(place);
        } catch (error) {
          const isGone = error instanceof Error && 'code' in error && error.code === 'ENOENT';
          if (!isGone || look >= mostLooks) throw unreadable(place, error);
        }
        await pause(betweenLooksMs, undefined, { signal });
      }
    },
  };
}

async function readMounted(place: string): Promise<string> {
  const [mount, key] = [dirname(place), basename(place)];
  if (key === '..' || key === '.' || key.startsWith('..') || place.split('/').includes('..')) {
    throw refused(place, 'a key of a mounted Secret is a plain name');
  }
  const data = join(mount, '..data');
  const version = await readlink(data).catch((error: unknown) => {
    const code = error instanceof Error && 'code' in error ? error.code : null;
    if (code !== 'ENOENT' && code !== 'EINVAL' && code !== 'ENOTDIR') throw error;
    throw refused(place, `${mount} is no mounted Secret (it has no ..data); mount all of it, not a subPath`);
  });
  if (version.includes('/') || version === '..' || version === '.') {
    throw refused(place, `${data} leads out of the mount`);
  }
  const directory = await realpath(join(mount, version));
  const file = await realpath(join(directory, key));
  if (directory !== join(await realpath(mount), version) || !file.startsWith(directory + sep)) {
    throw refused(place, 'it leads out of the mount');
  }
  const value = await readBoundedFile(file);
  if (value === '') throw new BerthError('SECRET_MISSING', `The key ${place} of a mounted Secret is empty.`);
  return value;
}

function refused(place: string, why: string): BerthError {
  return new BerthError('SECRET_MISSING', `The secret ${place} cannot be read: ${why}.`);
}
