import { randomBytes } from 'node:crypto';
import { gitIn } from '../git-fixtures.ts';

export interface HeldToken {
  readonly token: string;
  readonly login: string;
  readonly permissions: Readonly<Record<string, string>>;
  /** Names of repositories; null: all. */
  readonly repositories: readonly string[] | null;
  endsMs: number;
}

export interface HeldPull {
  readonly number: number;
  readonly branch: string;
  title: string;
  body: string;
  base: string;
  draft: boolean;
  state: 'open' | 'closed';
  mergedAs: string | null;
  /** Where its branch was when it ended. */
  endHead: string | null;
  /** Set: it comes from a fork. */
  readonly fork: boolean;
  readonly labels: string[];
  readonly reviewers: string[];
  readonly createdAt: string;
}

export interface HeldComment {
  readonly id: number;
  readonly number: number;
  readonly login: string;
  readonly type: 'User' | 'Bot';
  body: string;
  readonly createdAt: string;
  /** Set: a review comment. */
  readonly place?: { readonly path: string; readonly line: number | null; readonly side: 'LEFT' | 'RIGHT' };
  readonly replyTo?: number;
}

/** What one repository of the test forge holds beside git. */
export class GitHubState {
  readonly owner = 'acme';
  readonly name = 'web';
  readonly slug = 'berth-test';
  /** Bare. */
  readonly directory: string;
  /** What the App was granted where it is installed. */
  granted: Record<string, string> = {
    contents: 'write',
    pull_requests: 'write',
    issues: 'write',
    checks: 'read',
    statuses: 'write',
    actions: 'read',
    metadata: 'read',
  };
  readonly tokens = new Map<string, HeldToken>();
  readonly pulls: HeldPull[] = [];
  readonly issues: { number: number; title: string; body: string; login: string; labels: string[] }[] = [];
  readonly comments: HeldComment[] = [];
  readonly reviews: { id: number; number: number; login: string; body: string; state: string; at: string }[] =
    [];
  readonly statuses: { commit: string; context: string; state: string; description: string }[] = [];
  readonly checkRuns: { id: number; name: string; status: string; conclusion: string | null; app: string }[] =
    [];
  readonly logs = new Map<number, string>();
  /** Role of each person. */
  readonly people = new Map<string, string>([
    ['anna', 'admin'],
    ['ben', 'write'],
    ['mara', 'maintain'],
    ['tim', 'triage'],
    ['rita', 'read'],
  ]);
  allowedMethods = ['merge', 'squash', 'rebase'];
  #last = 0;

  constructor(directory: string) {
    this.directory = directory;
  }

  nextNumber(): number {
    return Math.max(0, ...[...this.pulls, ...this.issues].map(({ number }) => number)) + 1;
  }

  nextId(): number {
    this.#last += 1;
    return 1_000 + this.#last;
  }

  /** Seconds apart, in the order they were made. */
  stamp(): string {
    this.#last += 1;
    return new Date(Date.parse('2026-01-01T00:00:00Z') + this.#last * 1_000)
      .toISOString()
      .replace('.000', '');
  }

  giveToken(over: Partial<HeldToken> = {}): HeldToken {
    const held: HeldToken = {
      token: `ghs_${randomBytes(18).toString('hex')}`,
      login: `${this.slug}[bot]`,
      permissions: this.granted,
      repositories: [this.name],
      endsMs: Date.now() + 3_600_000,
      ...over,
    };
    this.tokens.set(held.token, held);
    return held;
  }

  headOf(branch: string): string | null {
    return this.#git(['rev-parse', '--verify', '-q', `refs/heads/${branch}`]);
  }

  /** Tree of a merge, or null where it conflicts. */
  mergedTree(base: string, head: string): string | null {
    return this.#git(['merge-tree', '--write-tree', base, head])?.split('\n')[0] ?? null;
  }

  merge(pull: HeldPull, message: string): string {
    const [base, head] = [this.headOf(pull.base)!, this.headOf(pull.branch)!];
    const tree = this.mergedTree(base, head)!;
    const args = ['commit-tree', tree, '-p', base, '-p', head, '-m', message];
    const commit = gitIn(this.directory, args);
    gitIn(this.directory, ['update-ref', `refs/heads/${pull.base}`, commit, base]);
    Object.assign(pull, { state: 'closed', mergedAs: commit, endHead: head });
    return commit;
  }

  isAhead(base: string, head: string): boolean {
    return this.#git(['rev-list', '--count', `${base}..${head}`]) !== '0';
  }

  #git(args: readonly string[]): string | null {
    try {
      return gitIn(this.directory, args);
    } catch {
      return null;
    }
  }
}
