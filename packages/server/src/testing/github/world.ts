import type { Clock } from '../../domain/ports/clock.ts';
import type { GitTarget } from '../../domain/ports/forge.ts';
import {
  connectGitHub,
  type ConnectionParts,
  type GitHubConnection,
} from '../../forges/github/connection.ts';
import { GitHubForge } from '../../forges/github/github-forge.ts';
import { openProject, type Mirror } from '../../git/mirror.ts';
import { push, remoteBranch } from '../../git/push.ts';
import { commitAll, gitIn, makeRepository, TestPlace, writeFiles } from '../git-fixtures.ts';
import { TestGitHub } from './test-forge.ts';

/** How the adapter signs in. */
export type SignIn = 'app' | 'token';

/** The adapter over a GitHub of our own. */
export interface GitHubUnderTest {
  readonly place: TestPlace;
  readonly github: TestGitHub;
  readonly forge: GitHubForge;
  readonly connection: GitHubConnection;
  readonly mirror: Mirror;
  /** Values that the adapter told are secret. */
  readonly learned: string[];
  /** How long the adapter slept, in order. */
  readonly sleptMs: number[];
  /** Moves the adapter's clock on. */
  readonly passMs: (ms: number) => void;
  pushBranch(branch: string, files: Readonly<Record<string, string>>): Promise<string>;
  cleanUp(): Promise<void>;
}

export async function gitHubUnderTest(
  signIn: SignIn,
  limits: ConnectionParts['limits'] = {},
): Promise<GitHubUnderTest> {
  const place = new TestPlace();
  const source = makeRepository(place.path('source'), { 'shared.txt': 'one\n' });
  const github = new TestGitHub(place.path(), source);
  await github.start();
  const abort = new AbortController();
  const { signal } = abort;
  const sleptMs: number[] = [];
  let aheadMs = 0;
  const clock: Clock = {
    nowMs: () => Date.now() + aheadMs,
    monotonicMs: () => performance.now() + aheadMs,
    sleep: async (ms) => {
      sleptMs.push(ms);
      aheadMs += ms;
    },
  };
  const learned: string[] = [];
  const pat = github.state.giveToken({ login: 'berth-machine', token: `github_pat_${'a1'.repeat(20)}` });
  const secrets: Record<string, string> = { key: github.privateKey, token: `${pat.token}\n` };
  const connection = connectGitHub(
    {
      kind: 'github',
      name: 'hub',
      url: github.url,
      ...(signIn === 'app'
        ? { app: { id: github.appId, privateKey: '${env:key}' } }
        : { token: '${env:token}' }),
    },
    {
      home: place.path('home'),
      clock,
      read: async (reference) => secrets[reference.slice(6, -1)] ?? '',
      learn: ({ value }) => void learned.push(value),
      signal,
      limits,
    },
  );
  const forge = new GitHubForge('acme/web', () => connection);
  const target: GitTarget = await forge.fetchTarget();
  const mirror = await openProject({
    home: place.path('home'),
    repository: github.repository,
    target,
    signal,
  });
  return {
    place,
    github,
    forge,
    connection,
    mirror,
    learned,
    sleptMs,
    passMs: (ms) => void (aheadMs += ms),
    async pushBranch(branch, files) {
      const base = gitIn(source, ['rev-parse', 'main']);
      gitIn(source, ['checkout', '-q', '--detach', base]);
      writeFiles(source, files);
      const commit = commitAll(source, branch);
      gitIn(source, ['checkout', '-q', 'main']);
      gitIn(mirror.directory, ['fetch', '-q', source, commit]);
      const to = await forge.pushTarget();
      await push(mirror, to, {
        branch,
        commit,
        expected: await remoteBranch(mirror, to, branch, signal),
        signal,
      });
      return commit;
    },
    async cleanUp() {
      abort.abort();
      await github.stop();
      place.cleanUp();
      // What was asked and answered is of GitHub's document: no test passes otherwise.
      if (github.faultsOfForm.length > 0) throw new Error(github.faultsOfForm.join('\n'));
    },
  };
}
