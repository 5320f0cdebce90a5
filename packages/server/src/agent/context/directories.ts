import { posix } from 'node:path';

/** Where the repository lies in every sandbox. */
export const repositoryRoot = '/workspace/repo';

/**
 * The directories whose rules files speak about a path: `a` and `a/b` for `a/b/c.ts`. The root is not among
 * them (its rules are there from the start), nor is anything outside the repository.
 */
export function directoriesOf(path: string): readonly string[] {
  const normal = posix.normalize(path);
  const inside = normal.startsWith(`${repositoryRoot}/`) ? normal.slice(repositoryRoot.length + 1) : normal;
  if (inside.startsWith('/') || inside === '..' || inside.startsWith('../')) return [];
  // `src/.` means the directory itself.
  const names = posix
    .dirname(path.endsWith('/.') ? `${inside}/x` : inside)
    .split('/')
    .filter((name) => name !== '' && name !== '.');
  return names.map((_, place) => names.slice(0, place + 1).join('/'));
}
