import { commitAt, fetchLocally, isAncestor } from './bare-repository.ts';
import { withMirrorLock, type Mirror } from './mirror.ts';
import { remoteBranch, type PushTarget } from './push.ts';
import { parseAddress } from './repository-address.ts';

/**
 * Where a base branch is now: on its source, which the mirror was just brought up to date with, or further on at the
 * code host, where what is merged lands first when that is a place of its own.
 * @returns null when there is no such branch; its commit is in the mirror
 */
export async function branchNow(
  mirror: Mirror,
  target: PushTarget | null,
  ref: string,
  signal: AbortSignal,
): Promise<string | null> {
  const name = `refs/heads/${ref}`;
  const known = await commitAt(mirror.directory, name, signal);
  if (known === null || target === null) return known;
  const address = parseAddress(target.url, '/');
  if (address.kind !== 'local') return known;
  const there = await remoteBranch(mirror, target, ref, signal);
  if (there === null || there === known) return known;
  if ((await commitAt(mirror.directory, there, signal)) === null) {
    const kept = `+${name}:refs/berth/hosted/${ref}`;
    await withMirrorLock(mirror.directory, signal, () =>
      fetchLocally(address.path, mirror.directory, [kept], signal),
    );
  }
  if ((await commitAt(mirror.directory, there, signal)) === null) return known;
  return (await isAncestor(mirror.directory, known, there, signal)) ? there : known;
}
