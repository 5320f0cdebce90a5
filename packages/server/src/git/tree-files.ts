import { git, gitText } from './git-process.ts';
import type { Mirror } from './mirror.ts';
import { objectSizes, readObjects } from './object-reader.ts';
import { symlinkMode, treeEntries } from './tree-listing.ts';

/** A file of a commit by its object. */
export interface TreeObject {
  /** UTF-8; a name that is not text keeps its bytes as `latin1`. */
  readonly path: string;
  readonly mode: string;
  readonly id: string;
}

/** The tree of a commit and every file in it, as the mirror has them. */
export async function treeFilesAt(
  mirror: Mirror,
  commit: string,
  signal: AbortSignal,
): Promise<{ readonly tree: string; readonly files: readonly TreeObject[] }> {
  const cwd = mirror.directory;
  const tree = await gitText({
    args: ['rev-parse', '--verify', '--end-of-options', `${commit}^{tree}`],
    cwd,
    signal,
  });
  const { stdout } = await git({
    args: ['ls-tree', '-r', '-z', '-l', '--full-tree', '--end-of-options', commit],
    cwd,
    signal,
    maxOutputBytes: 256 * 1024 * 1024,
  });
  const files = treeEntries(stdout).map(({ path, mode, id }) => ({ path: named(path), mode, id }));
  return { tree: tree.trim(), files };
}

function named(path: Buffer): string {
  const text = path.toString('utf8');
  return Buffer.from(text, 'utf8').equals(path) ? text : path.toString('latin1');
}

/** Contents of small files by path; null where one is larger than `maxBytes`, a link, or no text. */
export async function textsOf(
  mirror: Mirror,
  files: readonly TreeObject[],
  maxBytes: number,
  signal: AbortSignal,
): Promise<Map<string, string | null>> {
  const place = { directory: mirror.directory, signal };
  const sizes = await objectSizes(place, [...new Set(files.map(({ id }) => id))]);
  const small = [...sizes]
    .filter(([, { type, bytes }]) => type === 'blob' && bytes <= maxBytes)
    .map(([id]) => id);
  const contents = new Map<string, Buffer>();
  const together = 64;
  for (let at = 0; at < small.length; at += together) {
    const some = small.slice(at, at + together);
    for (const [id, bytes] of await readObjects(place, some, together * maxBytes)) contents.set(id, bytes);
  }
  return new Map(
    files.map(({ path, mode, id }) => {
      const bytes = mode === symlinkMode ? undefined : contents.get(id);
      return [path, bytes === undefined || bytes.includes(0) ? null : bytes.toString('utf8')];
    }),
  );
}

/** Whether the source's default branch holds a commit; false where the source did not say which it is. */
export async function isOnDefaultBranch(
  mirror: Mirror,
  commit: string,
  signal: AbortSignal,
): Promise<boolean> {
  const { branch } = mirror.head;
  if (branch === null) return false;
  const { exitCode } = await git({
    args: ['merge-base', '--is-ancestor', commit, `refs/heads/${branch}`],
    cwd: mirror.directory,
    signal,
    okCodes: [0, 1, 128],
  });
  return exitCode === 0;
}
