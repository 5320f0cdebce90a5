import { BerthError } from '../../domain/errors/index.ts';
import type { GitTarget } from '../../domain/ports/forge.ts';
import { listFilesAt, type ListedFile, readFileAt } from '../../git/read-files.ts';
import { type Mirror, openProject, type OpenProject, reopenMirror } from '../../git/mirror.ts';

/** Text files that Berth itself reads from a repository (blueprint, manifests, rules) are small. */
const maxTextBytes = 512 * 1024;

/** The copy of a repository as it is here, without asking its source; fetched where there is none yet. */
export async function knownMirror(
  home: string,
  repository: string,
  signal: AbortSignal,
  fetchTargetOf: FetchTargetOf = noTarget,
): Promise<Mirror> {
  const options = { home, repository, signal };
  const known = await reopenMirror(options);
  return known ?? openProject({ ...options, ...(await wayOf(repository, fetchTargetOf)) });
}

/** Where a repository is fetched from, by its forge; null: from its address. */
export type FetchTargetOf = (repository: string) => Promise<GitTarget | null>;
const noTarget: FetchTargetOf = () => Promise.resolve(null);

/** The operator's own credential helpers are asked only where no forge has a credential. */
async function wayOf(
  repository: string,
  fetchTargetOf: FetchTargetOf,
): Promise<Pick<OpenProject, 'target' | 'trustUserConfig'>> {
  const target = await fetchTargetOf(repository);
  return target === null ? { trustUserConfig: true } : { target };
}

/** It cannot be asked, for now or for good: not something wrong with us. */
function isSourceAway(error: unknown): boolean {
  return error instanceof BerthError && (/^(REPO|FORGE)_/.test(error.code) || error.code === 'GIT_TIMEOUT');
}

/** A run's repository on this machine: opened once, at the first use. */
export interface RunRepository {
  mirror(): Promise<Mirror>;
  /** Brought up to date now; null: its source cannot be asked. */
  refreshed(): Promise<Mirror | null>;
  /** Files of a commit; the first 50,000. */
  files(commit: string): Promise<readonly ListedFile[]>;
  /** A text file of a commit; null when there is none, or it is large, binary or a link. */
  text(commit: string, path: string): Promise<string | null>;
}

/**
 * @param signal aborts what is under way when the run stops
 * @param isPinned whether the run knows its base: then a source that went away since is no reason to stop
 * @param fetchTargetOf asked at each fetch
 */
export function runRepository(
  home: string,
  repository: string,
  signal: AbortSignal,
  isPinned: () => boolean,
  fetchTargetOf: FetchTargetOf = noTarget,
): RunRepository {
  let opened: Promise<Mirror> | null = null;
  const listed = new Map<string, Promise<readonly ListedFile[]>>();

  const options = { home, repository, signal };
  /** Addresses with credentials are refused. */
  const fetchNow = async (): Promise<Mirror> =>
    openProject({ ...options, ...(await wayOf(repository, fetchTargetOf)) });

  const open = async (): Promise<Mirror> => {
    try {
      return await fetchNow();
    } catch (error) {
      if (signal.aborted || !isPinned() || !isSourceAway(error)) throw error;
      const kept = await reopenMirror(options);
      if (kept === null) throw error;
      return kept;
    }
  };

  const mirror = (): Promise<Mirror> => {
    opened ??= open().catch((error: unknown) => {
      opened = null;
      throw error;
    });
    return opened;
  };

  return {
    mirror,
    async refreshed() {
      // Who reads the copy meanwhile has the same one.
      const now = await fetchNow().catch((error: unknown) => {
        if (signal.aborted || !isSourceAway(error)) throw error;
        return null;
      });
      if (now !== null) opened = Promise.resolve(now);
      return now;
    },
    files(commit) {
      const known = listed.get(commit);
      if (known !== undefined) return known;
      const list = mirror().then(async (from) => (await listFilesAt(from, commit, { signal })).files);
      listed.set(commit, list);
      list.catch(() => listed.delete(commit));
      return list;
    },
    async text(commit, path) {
      const bytes = await readFileAt(await mirror(), commit, path, { signal, maxBytes: maxTextBytes }).catch(
        (error: unknown) => {
          if (error instanceof BerthError && !signal.aborted) return null;
          throw error;
        },
      );
      return bytes === null || bytes.includes(0) ? null : bytes.toString('utf8');
    },
  };
}
