import { BerthError } from '../domain/errors/index.ts';
import { diff } from './diff.ts';
import { git } from './git-process.ts';
import { defaultProposalLimits, inQuarantine } from './import-proposal.ts';
import type { Mirror } from './mirror.ts';
import { type ObjectPlace, objectSizes, readObjects } from './object-reader.ts';
import { submoduleMode, symlinkMode, treeEntries, type TreeEntry } from './tree-listing.ts';

/** A saved working tree: a tree and the pack that holds what the base does not. Hostile. */
export interface SavedTree {
  readonly tree: string;
  readonly pack: Uint8Array;
}

export interface TreeRequest {
  /** The commit the packs were made against. */
  readonly base: string;
  readonly saved: SavedTree;
  readonly signal: AbortSignal;
}

export interface FolderEntry {
  /** UTF-8 with replacement characters where the name is not text. */
  readonly name: string;
  readonly kind: 'folder' | 'file' | 'executable' | 'symlink' | 'submodule';
  readonly bytes: number | null;
}

/**
 * The difference between a saved tree and the base, or an earlier saved tree. Nothing comes into the mirror.
 * @throws BerthError `PROPOSAL_INVALID`, `PROPOSAL_TOO_LARGE` (a pack itself)
 */
export async function diffOfTrees(
  mirror: Mirror,
  request: TreeRequest & { readonly from: SavedTree | null; readonly maxBytes: number },
): Promise<{ readonly text: string; readonly truncated: boolean }> {
  const { base, saved, from, signal, maxBytes } = request;
  const second = from === null ? {} : { second: from.pack };
  return inQuarantine(
    mirror,
    { base, ...saved, ...second, signal, limits: defaultProposalLimits },
    async (place) => {
      const { directory } = place;
      const before = from === null ? `${base}^{tree}` : checkedId(from.tree);
      if ((await objectSizes(place, [before])).size === 0) {
        throw new BerthError('PROPOSAL_INVALID', 'The earlier tree is not in its checkpoint.');
      }
      return diff({ ...mirror, directory }, before, saved.tree, { maxBytes, signal });
    },
  );
}

/**
 * A folder of a saved tree; `path` is empty for its root. Links are not followed, submodules not entered.
 * @throws BerthError `NOT_FOUND` when the path is no folder of it; as `diffOfTrees`
 */
export async function folderOf(
  mirror: Mirror,
  request: TreeRequest & { readonly path: string; readonly most: number },
): Promise<{ readonly entries: readonly FolderEntry[]; readonly truncated: boolean }> {
  const { base, saved, signal, path, most } = request;
  return inQuarantine(mirror, { base, ...saved, signal, limits: defaultProposalLimits }, async (place) => {
    let { tree } = saved;
    if (path !== '') {
      const entry = await entryAt(place, tree, path);
      if (entry?.type !== 'tree')
        throw new BerthError('NOT_FOUND', `There is no folder ${path} in that tree.`);
      tree = entry.id;
    }
    const all = await listTree(place, ['--end-of-options', tree]);
    const entries = all.slice(0, most).map((entry): FolderEntry => ({
      name: entry.path.toString('utf8'),
      kind: kindOf(entry),
      bytes: entry.bytes,
    }));
    return { entries, truncated: all.length > most };
  });
}

/**
 * The bytes of a regular file of a saved tree.
 * @throws BerthError `NOT_FOUND`; `FILE_NOT_SHOWN` for links, folders and submodules; `FILE_TOO_LARGE`; as `diffOfTrees`
 */
export async function fileOf(
  mirror: Mirror,
  request: TreeRequest & { readonly path: string; readonly maxBytes: number },
): Promise<Buffer> {
  const { base, saved, signal, path, maxBytes } = request;
  return inQuarantine(mirror, { base, ...saved, signal, limits: defaultProposalLimits }, async (place) => {
    const entry = await entryAt(place, saved.tree, path);
    if (entry === null) throw new BerthError('NOT_FOUND', `There is no file ${path} in that tree.`);
    const kind = kindOf(entry);
    if (kind !== 'file' && kind !== 'executable') {
      throw new BerthError('FILE_NOT_SHOWN', `${path} is a ${kind}, not a regular file.`);
    }
    const bytes = (await objectSizes(place, [entry.id])).get(entry.id)?.bytes;
    if (bytes === undefined) throw new BerthError('PROPOSAL_INVALID', 'The file is not in its checkpoint.');
    if (bytes > maxBytes) {
      throw new BerthError('FILE_TOO_LARGE', `The file has ${bytes} bytes; ${maxBytes} are shown.`, {
        details: { bytes, most: maxBytes },
      });
    }
    return (await readObjects(place, [entry.id], maxBytes)).get(entry.id) ?? Buffer.alloc(0);
  });
}

/** The entry at a path, looked up in the trees alone: a link on the way ends the look-up. */
async function entryAt(place: ObjectPlace, tree: string, path: string): Promise<TreeEntry | null> {
  const found = await listTree(place, ['--end-of-options', tree, path]);
  return found.find((entry) => entry.path.equals(Buffer.from(path))) ?? null;
}

async function listTree(place: ObjectPlace, args: readonly string[]): Promise<TreeEntry[]> {
  const { stdout } = await git({
    args: ['--literal-pathspecs', 'ls-tree', '-z', '-l', '--full-tree', ...args],
    cwd: place.directory,
    signal: place.signal,
    maxOutputBytes: 64 * 1024 * 1024,
    ...(place.limits === undefined ? {} : { limits: place.limits }),
  });
  return treeEntries(stdout);
}

function kindOf(entry: TreeEntry): FolderEntry['kind'] {
  if (entry.type === 'tree') return 'folder';
  if (entry.mode === symlinkMode) return 'symlink';
  if (entry.mode === submoduleMode) return 'submodule';
  return entry.mode === '100755' ? 'executable' : 'file';
}

function checkedId(text: string): string {
  if (!/^([0-9a-f]{40}|[0-9a-f]{64})$/.test(text)) {
    throw new BerthError('PROPOSAL_INVALID', 'The earlier tree has no valid name.');
  }
  return text;
}
