import { BerthError } from '../domain/errors/index.ts';
import type { Clock } from '../domain/ports/clock.ts';
import type { Forge, OpenPullRequest, PullRequest } from '../domain/ports/forge.ts';

/** What a fake forge needs to know of the repository it stands beside. */
export interface FakeForgeRepository {
  /** Where pushes go: a bare repository. */
  readonly url: string;
  /** Commit at the head of a branch, or null. */
  head(branch: string): Promise<string | null>;
  /** Merges for real and answers the merge commit. @throws BerthError `MERGE_CONFLICT` */
  merge(branch: string, base: string, message: string, by: string): Promise<string>;
}

interface Kept {
  readonly key: string;
  readonly pullRequest: PullRequest;
}

/** A forge in memory, over a real repository: for tests of the rooms above. */
export class FakeForge implements Forge {
  readonly kind = 'fake';
  readonly conversation = null;
  readonly fetchUrl: string | null = '/srv/fake.git';
  readonly #repository: FakeForgeRepository;
  readonly #clock: Clock;
  readonly #kept: Kept[] = [];
  /** Errors to throw from the next calls, by name of the method; each is used once. */
  readonly failNext: Array<{ readonly method: keyof Forge; readonly error: Error }> = [];
  /** Every call in order, for assertions. */
  readonly calls: string[] = [];

  constructor(repository: FakeForgeRepository, clock: Clock) {
    this.#repository = repository;
    this.#clock = clock;
  }

  async pushTarget(): ReturnType<Forge['pushTarget']> {
    this.#called('pushTarget');
    return { url: this.#repository.url, env: {} };
  }

  async fetchTarget(): ReturnType<Forge['fetchTarget']> {
    this.#called('fetchTarget');
    return null;
  }

  async openPullRequest(request: OpenPullRequest): Promise<PullRequest> {
    this.#called('openPullRequest');
    const head = await this.#repository.head(request.branch);
    if (head === null) throw new BerthError('CONFLICT', `The branch ${request.branch} was not pushed.`);
    if ((await this.#repository.head(request.base)) === null) throw new BerthError('BASE_UNKNOWN');
    const at = this.#kept.findIndex((kept) => kept.key === request.key);
    const before = this.#kept[at]?.pullRequest;
    if (before !== undefined && before.state !== 'open') return before;
    const number = before?.number ?? this.#kept.length + 1;
    const { key, labels: _, reviewers: __, ...shown } = request;
    const pullRequest: PullRequest = {
      ...shown,
      number,
      url: `https://forge.invalid/pull/${number}`,
      head,
      state: 'open',
      createdAt: before?.createdAt ?? new Date(this.#clock.nowMs()).toISOString(),
      mergedAs: null,
    };
    this.#kept[at === -1 ? this.#kept.length : at] = { key, pullRequest };
    return pullRequest;
  }

  async getPullRequest(number: number): Promise<PullRequest | null> {
    this.#called('getPullRequest');
    const found = this.#kept[number - 1]?.pullRequest;
    return found === undefined ? null : this.#live(found);
  }

  async listPullRequests(): Promise<readonly PullRequest[]> {
    this.#called('listPullRequests');
    return Promise.all(this.#kept.map(({ pullRequest }) => this.#live(pullRequest)));
  }

  async merge(number: number, options: { readonly by: string }): Promise<PullRequest> {
    this.#called('merge');
    const found = await this.#live(this.#known(number));
    if (found.state !== 'open')
      throw new BerthError('CONFLICT', `Pull request #${number} is ${found.state}.`);
    if (found.draft) throw new BerthError('DRAFT_NOT_MERGEABLE');
    const message = `Merge pull request #${number}: ${found.title}\n`;
    const mergedAs = await this.#repository.merge(found.branch, found.base, message, options.by);
    return this.#replace({ ...found, state: 'merged', mergedAs });
  }

  async close(number: number): Promise<PullRequest> {
    this.#called('close');
    const found = await this.#live(this.#known(number));
    if (found.state === 'merged') throw new BerthError('CONFLICT', `Pull request #${number} is merged.`);
    return this.#replace({ ...found, state: 'closed' });
  }

  #called(method: keyof Forge): void {
    this.calls.push(method);
    const at = this.failNext.findIndex((failure) => failure.method === method);
    if (at !== -1) throw this.failNext.splice(at, 1)[0]!.error;
  }

  #known(number: number): PullRequest {
    const found = this.#kept[number - 1]?.pullRequest;
    if (found === undefined) throw new BerthError('NOT_FOUND', `There is no pull request #${number}.`);
    return found;
  }

  #replace(pullRequest: PullRequest): PullRequest {
    const at = pullRequest.number - 1;
    this.#kept[at] = { key: this.#kept[at]!.key, pullRequest };
    return pullRequest;
  }

  async #live(pullRequest: PullRequest): Promise<PullRequest> {
    if (pullRequest.state !== 'open') return pullRequest;
    return { ...pullRequest, head: (await this.#repository.head(pullRequest.branch)) ?? pullRequest.head };
  }
}
