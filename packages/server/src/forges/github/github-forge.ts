import type {
  Forge,
  ForgeConversation,
  GitTarget,
  OpenPullRequest,
  PullRequest,
} from '../../domain/ports/forge.ts';
import { targetWithToken } from '../git-target.ts';
import { repositoryName } from './addresses.ts';
import type { GitHubConnection } from './connection.ts';
import { gitHubConversation } from './conversation.ts';
import { closePullRequest, mergePullRequest } from './merge.ts';
import type { Purpose } from './permissions.ts';
import { listPullRequests, openPullRequest, pullRequestOf, readPullRequest } from './pull-requests.ts';
import { GitHubRepository } from './repository.ts';

/** One repository on GitHub. */
export class GitHubForge implements Forge {
  readonly kind = 'github';
  readonly fetchUrl = null;
  readonly conversation: ForgeConversation;
  readonly #repository: GitHubRepository;

  /**
   * @param path `owner/name`
   * @param connection by the configuration of now: asked at each use
   * @throws BerthError `FORGE_UNKNOWN`
   */
  constructor(path: string, connection: () => GitHubConnection) {
    this.#repository = new GitHubRepository(repositoryName(path), connection);
    this.conversation = gitHubConversation(this.#repository);
  }

  pushTarget(): Promise<GitTarget> {
    return this.#target('push');
  }

  fetchTarget(): Promise<GitTarget> {
    return this.#target('fetch');
  }

  openPullRequest(request: OpenPullRequest): Promise<PullRequest> {
    return openPullRequest(this.#repository, request);
  }

  async getPullRequest(number: number): Promise<PullRequest | null> {
    const shape = await readPullRequest(this.#repository, number);
    return shape === null ? null : pullRequestOf(shape);
  }

  listPullRequests(): Promise<readonly PullRequest[]> {
    return listPullRequests(this.#repository);
  }

  merge(number: number, options: { readonly by: string }): Promise<PullRequest> {
    return mergePullRequest(this.#repository, number, options.by);
  }

  close(number: number): Promise<PullRequest> {
    return closePullRequest(this.#repository, number);
  }

  async #target(purpose: Purpose): Promise<GitTarget> {
    const { connection, name, fullName } = this.#repository;
    const token = await connection.credentials.token(name, purpose);
    const url = `${connection.addresses.web}/${fullName}.git`;
    return targetWithToken(url, 'x-access-token', token, await connection.caFile());
  }
}
