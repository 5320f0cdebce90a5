import { BerthError } from '../domain/errors/index.ts';
import { git } from './git-process.ts';
import type { Mirror } from './mirror.ts';
import { objectSizes, readObjects } from './object-reader.ts';
import { submoduleMode, symlinkMode, treeEntries } from './tree-listing.ts';

export interface ListedFile {
  /** UTF-8 with replacement characters where the name is not text; `readFileAt` takes only names that are. */
  readonly path: string;
  readonly kind: 'file' | 'executable' | 'symlink' | 'submodule';
  readonly bytes: number | null;
}

/**
 * The files of a commit in git's order.
 *
 * @param options.most default 50,000; further ones are left out and `truncated` is set
 */
export async function listFilesAt(
  mirror: Mirror,
  commit: string,
  options: { readonly signal: AbortSignal; readonly most?: number },
): Promise<{ readonly files: readonly ListedFile[]; readonly truncated: boolean }> {
  const { stdout } = await git({
    args: ['ls-tree', '-r', '-z', '-l', '--full-tree', '--end-of-options', commit],
    cwd: mirror.directory,
    signal: options.signal,
    maxOutputBytes: 256 * 1024 * 1024,
  });
  const all = treeEntries(stdout);
  const most = options.most ?? 50_000;
  const files = all.slice(0, most).map((entry): ListedFile => ({
    path: entry.path.toString('utf8'),
    kind: kindOf(entry.mode),
    bytes: entry.bytes,
  }));
  return { files, truncated: all.length > most };
}

function kindOf(mode: string): ListedFile['kind'] {
  if (mode === symlinkMode) return 'symlink';
  if (mode === submoduleMode) return 'submodule';
  return mode === '100755' ? 'executable' : 'file';
}

/**
 * One regular file of a commit; symbolic links are not followed and answer null, like everything that is not a
 * file.
 *
 * @throws BerthError `GIT_OUTPUT_TOO_LARGE` above `maxBytes` (default 1 MiB)
 */
export async function readFileAt(
  mirror: Mirror,
  commit: string,
  path: string,
  options: { readonly signal: AbortSignal; readonly maxBytes?: number },
): Promise<Buffer | null> {
  const found = await git({
    args: ['--literal-pathspecs', 'ls-tree', '-z', '-l', '--full-tree', '--end-of-options', commit, path],
    cwd: mirror.directory,
    signal: options.signal,
  });
  const entry = treeEntries(found.stdout).find((candidate) => candidate.path.equals(Buffer.from(path)));
  if (entry === undefined || entry.type !== 'blob' || entry.mode === symlinkMode) return null;
  const maxBytes = options.maxBytes ?? 1024 * 1024;
  if ((entry.bytes ?? 0) > maxBytes) {
    throw new BerthError(
      'GIT_OUTPUT_TOO_LARGE',
      `The file has ${entry.bytes} bytes; ${maxBytes} are accepted.`,
    );
  }
  const place = { directory: mirror.directory, signal: options.signal };
  return (await readObjects(place, [entry.id], maxBytes)).get(entry.id) ?? null;
}

export type RepositoryNote =
  | { readonly kind: 'lfs'; readonly sentence: string; readonly files: number }
  | { readonly kind: 'submodules'; readonly sentence: string; readonly paths: readonly string[] }
  | { readonly kind: 'shallow'; readonly sentence: string };

/** What people should know about a commit before a run works on it; none of it stops a run. */
export async function notesOn(
  mirror: Mirror,
  commit: string,
  signal: AbortSignal,
): Promise<RepositoryNote[]> {
  const notes: RepositoryNote[] = [];
  if (mirror.shallow) {
    notes.push({
      kind: 'shallow',
      sentence: 'The repository is shallow: older history is not available to the run.',
    });
  }
  const { stdout } = await git({
    args: ['ls-tree', '-r', '-z', '-l', '--full-tree', '--end-of-options', commit],
    cwd: mirror.directory,
    signal,
    maxOutputBytes: 256 * 1024 * 1024,
  });
  const entries = treeEntries(stdout);
  const submodules = entries
    .filter((entry) => entry.mode === submoduleMode)
    .map((entry) => entry.path.toString('utf8'));
  if (submodules.length > 0) {
    const sentence = `${submodules.length} submodule(s) stay empty in the sandbox: ${submodules.slice(0, 5).join(', ')}.`;
    notes.push({ kind: 'submodules', sentence, paths: submodules });
  }
  const attributes = entries.filter(
    (entry) => /(^|\/)\.gitattributes$/.test(entry.path.toString('latin1')) && (entry.bytes ?? 0) < 262_144,
  );
  const place = { directory: mirror.directory, signal };
  const texts = await readObjects(
    place,
    attributes.slice(0, 100).map((entry) => entry.id),
    100 * 262_144,
  );
  if (![...texts.values()].some((text) => /filter=lfs/.test(text.toString('latin1')))) return notes;
  // A pointer file is at most a few hundred bytes (git-lfs specification, "must be less than 1024 bytes").
  const small = entries.filter(
    (entry) => entry.type === 'blob' && (entry.bytes ?? 0) >= 100 && (entry.bytes ?? 0) < 1_024,
  );
  const ids = [...new Set(small.map((entry) => entry.id))];
  const sizes = await objectSizes(place, ids);
  const pointers = new Set<string>();
  for (let at = 0; at < ids.length; at += 5_000) {
    const some = ids.slice(at, at + 5_000).filter((id) => sizes.has(id));
    for (const [id, bytes] of await readObjects(place, some, 5_000 * 1_024)) {
      if (bytes.toString('latin1').startsWith('version https://git-lfs.github.com/spec/')) pointers.add(id);
    }
  }
  const files = small.filter((entry) => pointers.has(entry.id)).length;
  if (files > 0) {
    notes.push({
      kind: 'lfs',
      sentence: `${files} file(s) are Git LFS pointers; their contents are not fetched, and the pointers stay as they are.`,
      files,
    });
  }
  return notes;
}
