import { createHash } from 'node:crypto';
import { mkdir, readFile, readdir, rename, rm, stat, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { git, gitText } from './git-process.ts';
import type { Mirror } from './mirror.ts';
import { submoduleMode, treeEntries } from './tree-listing.ts';

/** What a sandbox gets: one commit with some history, as a pack file and the commits where history is cut. */
export interface DeliveryPack {
  /** A file on this machine; kept for the next sandbox of the same commit. */
  readonly path: string;
  readonly bytes: number;
  readonly commit: string;
  /** Commits whose parents are not in the pack (content of `.git/shallow`). */
  readonly shallow: readonly string[];
  readonly commits: number;
  /** Paths of submodules in the commit, where they are UTF-8; they stay at their commit, without content. */
  readonly submodules: readonly string[];
}

export interface DeliveryDepth {
  /** Commits of history, the delivered one included; default 50. */
  readonly depth?: number;
  /** Above this the history is cut to the one commit; default 64 MiB. */
  readonly maxHistoryBytes?: number;
}

/** Packs kept per mirror; older ones are removed. */
const keptPacks = 8;

interface History {
  readonly commits: readonly string[];
  readonly shallow: readonly string[];
}

/**
 * The newest `depth` commits reachable from `commit`. A commit with any parent outside is cut (git can only cut
 * all parents of a commit), and what is then no longer reachable is left out.
 */
async function historyOf(
  mirror: Mirror,
  commit: string,
  depth: number,
  signal: AbortSignal,
): Promise<History> {
  const text = await gitText({
    args: ['rev-list', '--topo-order', '--parents', `--max-count=${depth}`, commit, '--'],
    cwd: mirror.directory,
    signal,
  });
  const parents = new Map(
    text.split('\n').map((line) => [line.split(' ')[0]!, line.split(' ').slice(1)] as const),
  );
  const isCutInMirror = new Set(mirror.shallow ? await mirrorShallow(mirror, signal) : []);
  const seen = new Set<string>();
  const shallow: string[] = [];
  const queue = [commit];
  for (let id = queue.pop(); id !== undefined; id = queue.pop()) {
    if (seen.has(id)) continue;
    seen.add(id);
    const above = parents.get(id) ?? [];
    if (isCutInMirror.has(id) || above.some((parent) => !parents.has(parent))) shallow.push(id);
    else queue.push(...above);
  }
  return { commits: [...seen], shallow: shallow.sort() };
}

async function mirrorShallow(mirror: Mirror, signal: AbortSignal): Promise<string[]> {
  const path = await gitText({
    args: ['rev-parse', '--git-path', 'shallow'],
    cwd: mirror.directory,
    signal,
  });
  const text = await readFile(join(mirror.directory, path), 'utf8').catch(() => '');
  return text.split('\n').filter((line) => line !== '');
}

/**
 * Makes (or finds) the pack for one commit. With the default depth an agent sees recent history; a history that
 * would weigh too much is cut to the commit alone.
 */
export async function packFor(
  mirror: Mirror,
  commit: string,
  options: DeliveryDepth,
  signal: AbortSignal,
): Promise<DeliveryPack> {
  const maxBytes = options.maxHistoryBytes ?? 64 * 1024 * 1024;
  const depth = Math.max(1, Math.min(options.depth ?? 50, 10_000));
  const submodules = await submodulesOf(mirror, commit, signal);
  const wide = await historyOf(mirror, commit, depth, signal);
  const heavy = wide.commits.length > 1 && (await historyBytes(mirror, commit, wide, signal)) > maxBytes;
  const history = heavy ? await historyOf(mirror, commit, 1, signal) : wide;
  const made = await makePack(mirror, commit, history, signal);
  return { ...made, commit, shallow: history.shallow, commits: history.commits.length, submodules };
}

/** What the history would add to the commit's own tree, as it lies in the mirror (no pack is made for it). */
async function historyBytes(mirror: Mirror, commit: string, history: History, signal: AbortSignal) {
  const older = history.commits.filter((id) => id !== commit).map((id) => `${id}^{tree}`);
  const text = await gitText({
    args: ['rev-list', '--objects', '--disk-usage', '--stdin'],
    cwd: mirror.directory,
    input: `${older.join('\n')}\n^${commit}^{tree}\n`,
    timeoutMs: 120_000,
    signal,
  });
  return Number(text.trim());
}

async function makePack(mirror: Mirror, commit: string, history: History, signal: AbortSignal) {
  const directory = join(mirror.directory, 'berth-packs');
  await mkdir(directory, { recursive: true });
  const key = createHash('sha256')
    .update(`${commit}\n${history.shallow.join('\n')}`)
    .digest('hex')
    .slice(0, 32);
  const path = join(directory, `${key}.pack`);
  const present = await stat(path).catch(() => null);
  if (present !== null) {
    const now = new Date();
    // Keeps it from being removed as old while a sandbox reads it.
    await utimes(path, now, now);
    return { path, bytes: present.size };
  }
  const temporary = join(directory, `${key}.${process.pid}.${performance.now()}.tmp`);
  try {
    await git({
      args: ['pack-objects', '--revs', '--shallow', '--stdout', '--delta-base-offset', '--quiet'],
      cwd: mirror.directory,
      input: [...history.shallow.map((id) => `--shallow ${id}`), commit, ''].join('\n'),
      outputFile: temporary,
      timeoutMs: 10 * 60_000,
      signal,
    });
    await rename(temporary, path);
  } finally {
    await rm(temporary, { force: true });
  }
  await removeOld(directory);
  return { path, bytes: (await stat(path)).size };
}

async function removeOld(directory: string): Promise<void> {
  const packs = await Promise.all(
    (await readdir(directory))
      .filter((name) => name.endsWith('.pack'))
      .map(async (name) => ({
        name,
        at: (await stat(join(directory, name)).catch(() => null))?.mtimeMs ?? 0,
      })),
  );
  const old = packs.sort((left, right) => right.at - left.at).slice(keptPacks);
  await Promise.all(old.map(({ name }) => rm(join(directory, name), { force: true })));
}

async function submodulesOf(mirror: Mirror, commit: string, signal: AbortSignal): Promise<string[]> {
  const { stdout } = await git({
    args: ['ls-tree', '-r', '-z', '-l', '--full-tree', commit],
    cwd: mirror.directory,
    signal,
    maxOutputBytes: 256 * 1024 * 1024,
  });
  return treeEntries(stdout)
    .filter((entry) => entry.mode === submoduleMode)
    .map((entry) => entry.path.toString('utf8'));
}
