import { git } from './git-process.ts';
import type { ProcessLimits } from './git-process.ts';

/** Where to read: a bare repository, optionally in a limited process. */
export interface ObjectPlace {
  readonly directory: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly limits?: ProcessLimits;
  readonly signal: AbortSignal;
}

/** Sizes of objects by id, without reading them; an object that is not there is missing from the answer. */
export async function objectSizes(
  place: ObjectPlace,
  ids: readonly string[],
): Promise<Map<string, { readonly type: string; readonly bytes: number }>> {
  const sizes = new Map<string, { type: string; bytes: number }>();
  if (ids.length === 0) return sizes;
  const { stdout } = await git({
    args: ['cat-file', '--batch-check', '--buffer'],
    cwd: place.directory,
    input: `${ids.join('\n')}\n`,
    signal: place.signal,
    maxOutputBytes: 64 * 1024 * 1024,
    ...(place.env === undefined ? {} : { env: place.env }),
    ...(place.limits === undefined ? {} : { limits: place.limits }),
  });
  for (const line of stdout.toString('latin1').split('\n')) {
    const match = /^([0-9a-f]+) (\w+) (\d+)$/.exec(line);
    if (match !== null) sizes.set(match[1]!, { type: match[2]!, bytes: Number(match[3]) });
  }
  return sizes;
}

/**
 * Reads several objects with one process. Ask `objectSizes` first: the sum has to fit in `maxBytes`.
 *
 * @throws BerthError `GIT_OUTPUT_TOO_LARGE`
 */
export async function readObjects(
  place: ObjectPlace,
  ids: readonly string[],
  maxBytes: number,
): Promise<Map<string, Buffer>> {
  const objects = new Map<string, Buffer>();
  if (ids.length === 0) return objects;
  const { stdout } = await git({
    args: ['cat-file', '--batch', '--buffer'],
    cwd: place.directory,
    input: `${ids.join('\n')}\n`,
    signal: place.signal,
    maxOutputBytes: maxBytes + ids.length * 128,
    ...(place.env === undefined ? {} : { env: place.env }),
    ...(place.limits === undefined ? {} : { limits: place.limits }),
  });
  for (let at = 0; at < stdout.length;) {
    const end = stdout.indexOf(10, at);
    if (end === -1) break;
    const match = /^([0-9a-f]+) \w+ (\d+)$/.exec(stdout.subarray(at, end).toString('latin1'));
    if (match === null) {
      at = end + 1;
      continue;
    }
    const bytes = Number(match[2]);
    objects.set(match[1]!, stdout.subarray(end + 1, end + 1 + bytes));
    at = end + 1 + bytes + 1;
  }
  return objects;
}
