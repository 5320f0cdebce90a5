import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { BerthError } from '../../domain/errors/index.ts';
import type { Clock } from '../../domain/ports/clock.ts';
import type { Forge, GitTarget, OpenPullRequest, PullRequest } from '../../domain/ports/forge.ts';
import {
  commitAt,
  createBare,
  fetchLocally,
  isAncestor,
  moveRef,
  objectFormat,
  removeStaleLocks,
  setHead,
} from '../../git/bare-repository.ts';
import { detachedCommit } from '../../git/base-ref.ts';
import { isBranchName } from '../../git/deliver-repository.ts';
import { withFileLock } from '../../git/file-lock.ts';
import { mergeCommit } from '../../git/merge.ts';
import { PullRequestFiles } from './pull-request-files.ts';
import type { StoredPullRequest } from './pull-request-files.ts';

export interface LocalForgeOptions {
  /** `$BERTH_HOME`; the forge of a project is `forge/<project id>.git` in it. */
  readonly home: string;
  readonly projectId: string;
  /**
   * Berth's mirror of the project's repository (`Mirror.directory`): the base branch follows it. Null: the
   * mirror was not opened by this process, and the base stays where it is.
   */
  readonly mirror: string | null;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

const baseRef = (branch: string) => `refs/heads/${branch}`;

/**
 * Pull requests beside a bare repository, so that the whole flow exists without any service. Several processes
 * may use one at once: what writes holds a lock file, branches move by compare-and-swap.
 */
export class LocalForge implements Forge {
  readonly kind = 'local';
  readonly conversation = null;
  readonly directory: string;
  readonly #options: LocalForgeOptions;
  readonly #files: PullRequestFiles;

  constructor(options: LocalForgeOptions) {
    if (!/^[A-Za-z0-9_-]{1,100}$/.test(options.projectId))
      throw new BerthError('USAGE', 'That is not the id of a project.');
    this.#options = options;
    this.directory = join(options.home, 'forge', `${options.projectId}.git`);
    this.#files = new PullRequestFiles(join(this.directory, 'pull-requests'));
  }

  get fetchUrl(): string {
    return this.directory;
  }

  fetchTarget(): Promise<null> {
    return Promise.resolve(null);
  }

  async pushTarget(): Promise<GitTarget> {
    await this.#locked(async () => undefined);
    return { url: this.directory, env: {} };
  }

  async openPullRequest(request: OpenPullRequest): Promise<PullRequest> {
    if (!isBranchName(request.branch))
      throw new BerthError('USAGE', `"${request.branch}" is not the name of a branch.`);
    return this.#locked(async () => {
      await this.#followSource(request.base);
      const head = await this.#commit(baseRef(request.branch));
      if (head === null) {
        throw new BerthError('CONFLICT', `The branch ${request.branch} was not pushed to the local forge.`, {
          next: 'Push the branch first, then open the pull request.',
        });
      }
      if ((await this.#commit(baseRef(request.base))) === null) {
        throw new BerthError(
          'BASE_UNKNOWN',
          `The base branch ${request.base} does not exist on the local forge.`,
        );
      }
      const all = await this.#files.list();
      const before = all.find((candidate) => candidate.key === request.key);
      if (before !== undefined && before.state !== 'open') return this.#shown(before);
      const stored: StoredPullRequest = {
        version: 1,
        key: request.key,
        number: before?.number ?? Math.max(0, ...all.map((one) => one.number)) + 1,
        title: request.title,
        branch: request.branch,
        base: request.base,
        head,
        draft: request.draft,
        state: 'open',
        createdAt: before?.createdAt ?? this.#now(),
        mergedAs: null,
        mergedBy: null,
      };
      await this.#files.write(stored, request.body);
      return this.#shown(stored);
    });
  }

  async getPullRequest(number: number): Promise<PullRequest | null> {
    const stored = await this.#files.read(number);
    return stored === null ? null : this.#shown(stored);
  }

  async listPullRequests(): Promise<readonly PullRequest[]> {
    return Promise.all((await this.#files.list()).map((stored) => this.#shown(stored)));
  }

  async merge(number: number, options: { readonly by: string }): Promise<PullRequest> {
    return this.#locked(async () => {
      const stored = await this.#open(number);
      if (stored.draft) throw new BerthError('DRAFT_NOT_MERGEABLE');
      await this.#followSource(stored.base);
      const head = await this.#commit(baseRef(stored.branch));
      if (head === null) throw new BerthError('CONFLICT', `The branch ${stored.branch} is gone.`);
      const mergedAs = await this.#mergeInto(stored, head, options.by);
      const merged: StoredPullRequest = { ...stored, head, state: 'merged', mergedAs, mergedBy: options.by };
      await this.#files.write(merged, await this.#files.text(number));
      return this.#shown(merged);
    });
  }

  async close(number: number): Promise<PullRequest> {
    return this.#locked(async () => {
      const stored = await this.#files.read(number);
      if (stored === null) throw missing(number);
      if (stored.state === 'closed') return this.#shown(stored);
      if (stored.state === 'merged') throw new BerthError('CONFLICT', `Pull request #${number} is merged.`);
      const head = (await this.#commit(baseRef(stored.branch))) ?? stored.head;
      const closed: StoredPullRequest = { ...stored, head, state: 'closed' };
      await this.#files.write(closed, await this.#files.text(number));
      return this.#shown(closed);
    });
  }

  async #open(number: number): Promise<StoredPullRequest> {
    const stored = await this.#files.read(number);
    if (stored === null) throw missing(number);
    if (stored.state !== 'open')
      throw new BerthError('CONFLICT', `Pull request #${number} is ${stored.state}.`);
    return stored;
  }

  /** Merges and moves the base branch; a base that a push moves meanwhile is merged onto anew. */
  async #mergeInto(stored: StoredPullRequest, head: string, by: string): Promise<string> {
    const { signal, clock } = this.#options;
    const ref = baseRef(stored.base);
    for (let attempt = 0; attempt < 5; attempt += 1) {
      const base = await this.#commit(ref);
      if (base === null) throw new BerthError('BASE_UNKNOWN', `The base branch ${stored.base} is gone.`);
      // A crash after the branch moved and before the file was written: it is merged already.
      const earlier = await this.#earlierMerge(base, head);
      if (earlier !== null) return earlier;
      const message = `Merge pull request #${stored.number}: ${stored.title}\n\nBerth-Task: ${stored.key}\n`;
      const commit = await mergeCommit({
        directory: this.directory,
        base,
        head,
        message,
        by,
        atMs: clock.nowMs(),
        signal,
      });
      if (await moveRef(this.directory, ref, commit, base, signal)) return commit;
    }
    throw new BerthError('CONFLICT', `The base branch ${stored.base} does not stay in one place.`);
  }

  /** The commit on the base branch that already brought `head` in, or null. */
  async #earlierMerge(base: string, head: string): Promise<string | null> {
    if (!(await isAncestor(this.directory, head, base, this.#options.signal))) return null;
    return (await this.#commit(`${base}^2`)) === head ? base : head;
  }

  /**
   * Brings the base branch to where the source has it, as long as that loses nothing that was merged here. A
   * source and a forge that both moved are left as they are: merging decides.
   */
  async #followSource(branch: string): Promise<void> {
    const { mirror, signal } = this.#options;
    if (mirror === null || !isBranchName(branch)) return;
    const present = await this.#commit(baseRef(branch));
    const found = await this.#sourceRef(mirror, branch);
    if (found === null) {
      if (present === null) await this.#makeDetached(branch);
      return;
    }
    if (present === found.commit) return;
    await fetchLocally(mirror, this.directory, [`+${found.ref}:refs/berth/source/${branch}`], signal);
    const fetched = await this.#commit(`refs/berth/source/${branch}`);
    if (fetched === null) return;
    if (present === null) {
      await moveRef(this.directory, baseRef(branch), fetched, null, signal);
      await setHead(this.directory, branch);
    } else if (await isAncestor(this.directory, present, fetched, signal)) {
      await moveRef(this.directory, baseRef(branch), fetched, present, signal);
    }
  }

  /** Where the source has a branch: its own, or the one it last saw at its origin. */
  async #sourceRef(mirror: string, branch: string): Promise<{ ref: string; commit: string } | null> {
    for (const ref of [baseRef(branch), `refs/remotes/origin/${branch}`]) {
      const commit = await commitAt(mirror, ref, this.#options.signal);
      if (commit !== null) return { ref, commit };
    }
    return null;
  }

  /** A base that is on no branch of the source gets one here: the pushed branch brought the commit along. */
  async #makeDetached(branch: string): Promise<void> {
    const id = detachedCommit(branch);
    const commit = id === null ? null : await this.#commit(id);
    if (commit !== null) await moveRef(this.directory, baseRef(branch), commit, null, this.#options.signal);
  }

  async #locked<T>(work: () => Promise<T>): Promise<T> {
    const { home, mirror, signal } = this.#options;
    await mkdir(join(home, 'forge'), { recursive: true, mode: 0o700 });
    return withFileLock(`${this.directory}.lock`, { timeoutMs: 120_000, signal }, async () => {
      const format = mirror === null ? 'sha1' : await objectFormat(mirror, signal);
      await createBare(this.directory, format, signal);
      // Pushes do not hold this lock; none takes minutes to move its ref.
      await removeStaleLocks(this.directory, 5 * 60_000);
      return work();
    });
  }

  async #commit(name: string): Promise<string | null> {
    return commitAt(this.directory, name, this.#options.signal);
  }

  async #shown(stored: StoredPullRequest): Promise<PullRequest> {
    const live = stored.state === 'open' ? await this.#commit(baseRef(stored.branch)) : null;
    return {
      number: stored.number,
      url: pathToFileURL(this.#files.textPath(stored.number)).href,
      title: stored.title,
      body: await this.#files.text(stored.number),
      branch: stored.branch,
      base: stored.base,
      head: live ?? stored.head,
      draft: stored.draft,
      state: stored.state,
      createdAt: stored.createdAt,
      mergedAs: stored.mergedAs,
    };
  }

  #now(): string {
    return new Date(this.#options.clock.nowMs()).toISOString();
  }
}

function missing(number: number): BerthError {
  return new BerthError('NOT_FOUND', `There is no pull request #${number} on the local forge.`, {
    next: 'List them with `berth proposals`.',
  });
}
