import type { RepositoryPermission } from '../config/triggers.ts';

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
  readonly labels?: readonly string[];
  /** Accounts that are asked for a review; those the forge does not know are left out. */
  readonly reviewers?: readonly string[];
}

/** Address and credentials for one use of git: short-lived, for this repository alone; the environment of a git process. */
export interface GitTarget {
  readonly url: string;
  readonly env: Readonly<Record<string, string>>;
}

export interface ForgeAccount {
  readonly login: string;
  /** An app or a bot, Berth's own account among them: never answered, never obeyed. */
  readonly isBot: boolean;
}

export interface ForgeIssue {
  readonly number: number;
  readonly url: string;
  readonly title: string;
  readonly body: string;
  readonly author: ForgeAccount;
  readonly state: 'open' | 'closed';
  readonly labels: readonly string[];
  readonly createdAt: string;
  /** It is a pull request: forges with one numbering answer them as issues too. */
  readonly isPullRequest: boolean;
}

export interface ForgeComment {
  /** Unique on this repository; opaque. */
  readonly id: string;
  readonly url: string;
  readonly body: string;
  readonly author: ForgeAccount;
  readonly createdAt: string;
  /** Where in the diff it stands, of a review comment; the line is null where the diff has moved away from it. */
  readonly place: {
    readonly path: string;
    readonly line: number | null;
    readonly side: 'old' | 'new';
  } | null;
  /** The thread it belongs to, for answers; null: the conversation itself. */
  readonly thread: string | null;
}

/** One check of a commit, whatever the forge calls it (status, check run, pipeline job, build). */
export interface CommitCheck {
  readonly name: string;
  readonly state: 'pending' | 'passed' | 'failed' | 'skipped';
  readonly url: string | null;
  /** Names its log for `failedLog`; null where it has none that we can read. */
  readonly log: string | null;
}

/** What people and machines say about a repository on its forge. Everything in it is text from outside. */
export interface ForgeConversation {
  /** The account Berth acts as. */
  self(): Promise<ForgeAccount>;
  getIssue(number: number): Promise<ForgeIssue | null>;
  /** All comments of an issue or pull request, review comments among them, oldest first. */
  listComments(number: number): Promise<readonly ForgeComment[]>;
  /**
   * Writes a comment, once for each key: a repetition updates the text of the first. `thread`: an answer there.
   * @throws BerthError of the forge's codes
   */
  comment(
    number: number,
    comment: { readonly key: string; readonly body: string; readonly thread?: string | null },
  ): Promise<ForgeComment>;
  /** What an account may do on the repository; `none` for accounts that are not there. */
  permissionOf(login: string): Promise<RepositoryPermission>;
  checksOf(commit: string): Promise<readonly CommitCheck[]>;
  /** The end of a check's log, at most `maxBytes`. */
  failedLog(log: string, maxBytes: number): Promise<string>;
  /** Berth's own word on a commit, shown beside the forge's checks. */
  setStatus(
    commit: string,
    status: {
      readonly state: 'pending' | 'passed' | 'failed';
      readonly sentence: string;
      readonly url: string | null;
    },
  ): Promise<void>;
}

/** The code host of one repository. */
export interface Forge {
  readonly kind: 'local' | 'github' | 'gitlab' | 'bitbucket' | 'gitea' | 'fake';
  /** Where anybody who may read the repository fetches its branches, when that is not the repository itself. */
  readonly fetchUrl: string | null;
  pushTarget(): Promise<GitTarget>;
  /** Where Berth fetches the repository from; null: from its address, as this account's git may. */
  fetchTarget(): Promise<GitTarget | null>;
  /** Opens the task's one pull request, or updates it. Safe to repeat after a crash. */
  openPullRequest(request: OpenPullRequest): Promise<PullRequest>;
  getPullRequest(number: number): Promise<PullRequest | null>;
  listPullRequests(): Promise<readonly PullRequest[]>;
  /** @throws BerthError `MERGE_CONFLICT`, `CONFLICT` when it is not open, `DRAFT_NOT_MERGEABLE` */
  merge(number: number, options: { readonly by: string }): Promise<PullRequest>;
  close(number: number): Promise<PullRequest>;
  /** Null on a forge without people: the local one. */
  readonly conversation: ForgeConversation | null;
}
