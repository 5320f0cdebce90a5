import type { RepositoryPermission } from '../domain/config/index.ts';
import type { ForgeAccount, ForgeComment, ForgeConversation, ForgeIssue } from '../domain/ports/forge.ts';

/** A code host's people and comments in memory. Comments are found again by their key, as on real ones. */
export class FakeConversation implements ForgeConversation {
  readonly account: ForgeAccount;
  readonly permissions = new Map<string, RepositoryPermission>();
  readonly issues = new Map<number, ForgeIssue>();
  readonly comments = new Map<number, ForgeComment[]>();
  /** Every call in order. */
  readonly calls: string[] = [];
  /** Thrown by the next calls, each once, by name of the method. */
  readonly failNext: { readonly method: string; readonly error: Error }[] = [];
  readonly #keys = new Map<string, string>();
  #made = 0;

  constructor(login = 'berth-app[bot]', isBot = true) {
    this.account = { login, isBot };
  }

  addIssue(number: number, author: string, given: Partial<ForgeIssue> = {}): ForgeIssue {
    const issue: ForgeIssue = {
      number,
      url: `https://github.example.com/acme/web/issues/${number}`,
      title: `Issue ${number}`,
      body: `Body of ${number}`,
      author: { login: author, isBot: false },
      state: 'open',
      labels: [],
      createdAt: '2026-01-01T00:00:00.000Z',
      isPullRequest: false,
      ...given,
    };
    this.issues.set(number, issue);
    return issue;
  }

  addComment(number: number, login: string, body: string, isBot = false): ForgeComment {
    this.#made += 1;
    const comment: ForgeComment = {
      id: `c${this.#made}`,
      url: `https://github.example.com/acme/web/issues/${number}#c${this.#made}`,
      body,
      author: { login, isBot },
      createdAt: '2026-01-01T00:00:00.000Z',
      place: null,
      thread: null,
    };
    this.comments.set(number, [...(this.comments.get(number) ?? []), comment]);
    return comment;
  }

  async self(): Promise<ForgeAccount> {
    this.#called('self');
    return this.account;
  }

  async getIssue(number: number): Promise<ForgeIssue | null> {
    this.#called('getIssue');
    return this.issues.get(number) ?? null;
  }

  async listComments(number: number): Promise<readonly ForgeComment[]> {
    this.#called('listComments');
    return this.comments.get(number) ?? [];
  }

  async comment(
    number: number,
    { key, body }: { readonly key: string; readonly body: string },
  ): Promise<ForgeComment> {
    this.#called('comment');
    const before = this.#keys.get(`${number} ${key}`);
    const all = this.comments.get(number) ?? [];
    const at = all.findIndex(({ id }) => id === before);
    if (at === -1) {
      const made = this.addComment(number, this.account.login, body, this.account.isBot);
      this.#keys.set(`${number} ${key}`, made.id);
      return made;
    }
    const edited = { ...all[at]!, body };
    this.comments.set(number, all.with(at, edited));
    return edited;
  }

  async permissionOf(login: string): Promise<RepositoryPermission> {
    this.#called('permissionOf');
    return this.permissions.get(login) ?? 'none';
  }

  async checksOf(): ReturnType<ForgeConversation['checksOf']> {
    return [];
  }

  async failedLog(): Promise<string> {
    return '';
  }

  async setStatus(): Promise<void> {
    this.#called('setStatus');
  }

  #called(method: string): void {
    this.calls.push(method);
    const at = this.failNext.findIndex((failure) => failure.method === method);
    if (at !== -1) throw this.failNext.splice(at, 1)[0]!.error;
  }
}
