/** A pull request as the forge knows it. */
export interface PullRequest {
  /** The forge's own number. */
  readonly number: number;
  readonly url: string;
  readonly title: string;
  readonly body: string;
  readonly branch: string;
  readonly base: string;
  /** Commit at the head of the branch. */
  readonly head: string;
  readonly draft: boolean;
  readonly state: 'open' | 'merged' | 'closed';
  readonly createdAt: string;
  /** Commit that merged it. */
  readonly mergedAs: string | null;
}

export interface OpenPullRequest {
  /** The task's id: a second request with the same key answers the first pull request, updated. */
  readonly key: string;
  readonly title: string;
  readonly body: string;
  readonly branch: string;
  readonly base: string;
  readonly draft: boolean;
}

/** The code host of one repository. */
export interface Forge {
  readonly kind: 'local' | 'github' | 'gitlab' | 'bitbucket' | 'gitea' | 'fake';
  /** Where anybody who may read the repository fetches its branches, when that is not the repository itself. */
  readonly fetchUrl: string | null;
  /** Address and credentials for one push; the credential is short-lived and for this repository alone. */
  pushTarget(): Promise<{ readonly url: string; readonly env: Readonly<Record<string, string>> }>;
  /** Opens the task's one pull request, or updates it. Safe to repeat after a crash. */
  openPullRequest(request: OpenPullRequest): Promise<PullRequest>;
  getPullRequest(number: number): Promise<PullRequest | null>;
  listPullRequests(): Promise<readonly PullRequest[]>;
  /** @throws BerthError `MERGE_CONFLICT`, `CONFLICT` when it is not open, `DRAFT_NOT_MERGEABLE` */
  merge(number: number, options: { readonly by: string }): Promise<PullRequest>;
  close(number: number): Promise<PullRequest>;
}
