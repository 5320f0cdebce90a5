import { execFileSync } from 'node:child_process';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { walk } from '../../blueprints/walk.ts';
import { systemClock } from '../../domain/clock.ts';
import { BerthError } from '../../domain/errors/index.ts';
import type { Blobs } from '../../domain/ports/blobs.ts';
import type { PullRequest } from '../../domain/ports/forge.ts';
import { defaultProposalPolicy } from '../../domain/proposal-policy.ts';
import { LocalForge } from '../../forges/local/local-forge.ts';
import { openProject } from '../../git/mirror.ts';
import { unsignedBerth } from '../../git/proposal-commit.ts';
import { commitAll, gitIn, makeRepository, TestPlace, writeFiles } from '../../testing/git-fixtures.ts';
import { stepHarness } from '../../testing/step-harness.ts';
import { proposalStore } from './proposals.ts';
import { runRepository } from './repository.ts';

const { signal } = new AbortController();
const runs = 20;
/** These two change the same line: whoever comes second cannot be put onto the first. */
const rivals = [4, 11];
let place: TestPlace;
let source: string;
let base: string;

beforeEach(() => {
  place = new TestPlace();
  source = makeRepository(place.path('source'), {
    'README.md': 'hello\n',
    'shared.txt': 'free\n',
    '.gitignore': '*.log\n',
  });
  base = gitIn(source, ['rev-parse', 'HEAD']);
});
afterEach(() => place.cleanUp());

/** What the agent of a run made, as the pack that leaves its sandbox. */
function workOf(n: number): { readonly tree: string; readonly pack: Uint8Array } {
  const clone = place.path(`clone-${n}`);
  execFileSync('git', ['clone', '-q', source, clone], { stdio: 'ignore' });
  writeFiles(clone, {
    [`f${n}.txt`]: `${n}\n`,
    ...(rivals.includes(n) ? { 'shared.txt': `run ${n}\n` } : {}),
  });
  gitIn(clone, ['add', '-A']);
  const tree = gitIn(clone, ['write-tree']);
  const pack = execFileSync('git', ['pack-objects', '--revs', '--stdout', '-q'], {
    cwd: clone,
    input: `${tree}\n^${base}^{tree}\n`,
  });
  return { tree, pack };
}

test(`${runs} runs at once on a base that moves with every merge: each has one pull request, and no work is lost`, async () => {
  const home = place.path('home');
  const mirror = await openProject({ home, repository: source, signal });
  const forge = new LocalForge({
    home,
    projectId: 'p-1',
    mirror: mirror.directory,
    clock: systemClock,
    signal,
  });
  const works = Array.from({ length: runs }, (_, n) => workOf(n));
  // The source moves as well, after all of them have pinned their base.
  writeFiles(source, { 'README.md': 'hello again\n' });
  commitAll(source, 'meanwhile');

  const one = async (n: number): Promise<{ pull: PullRequest; rebases: number; merged: boolean }> => {
    const { tree, pack } = works[n]!;
    const branch = `berth/task-${n}`;
    const harness = stepHarness({
      blueprint: { version: 1, checks: [{ name: 'test', kind: 'test', run: 'npm test' }] },
      taskId: `t-${n}`,
      branch,
      base,
      world: {
        agent: (_request, world) => {
          world.tree = tree;
          return 'done';
        },
      },
    });
    const blobs: Blobs = {
      put: () => Promise.resolve(''),
      get: () => Promise.resolve(pack),
      stream: async function* () {
        yield await Promise.resolve(pack);
      },
    };
    const proposals = proposalStore({
      repository: runRepository(home, source, signal, () => true),
      blobs,
      forge,
      knownSecrets: () => [],
      policy: () => defaultProposalPolicy,
      coAuthors: () => Promise.resolve([]),
      maker: () => Promise.resolve(unsignedBerth),
      redact: (text) => text,
      assertHeld: () => undefined,
      state: () => harness.state(),
    });
    await walk(harness.context(), { ...harness.deps, proposals, forge });
    const number = harness.state().pullRequest!.number;
    const rebases = harness.events.filter(
      (entry) => entry.type === 'proposal.base-moved' && entry.data.result === 'rebased',
    ).length;
    // A ready pull request is merged at once, which moves the base of all the others.
    const merged = await forge.merge(number, { by: 'lead' }).then(
      () => true,
      (error: unknown) => {
        if (error instanceof BerthError && ['DRAFT_NOT_MERGEABLE', 'MERGE_CONFLICT'].includes(error.code))
          return false;
        throw error;
      },
    );
    return { pull: (await forge.getPullRequest(number))!, rebases, merged };
  };
  const results = await Promise.all(works.map((_, n) => one(n)));

  expect((await forge.listPullRequests()).map((pull) => pull.branch).sort()).toEqual(
    works.map((_, n) => `berth/task-${n}`).sort(),
  );
  expect(results.reduce((sum, result) => sum + result.rebases, 0)).toBeGreaterThan(0);
  const main = new Set(gitIn(forge.directory, ['ls-tree', '-r', '--name-only', 'main']).split('\n'));
  for (const [n, { pull, merged }] of results.entries()) {
    expect(gitIn(forge.directory, ['show', `refs/heads/${pull.branch}:f${n}.txt`])).toBe(`${n}`);
    expect(main.has(`f${n}.txt`), `run ${n}`).toBe(merged);
  }
  const left = results.flatMap(({ merged }, n) => (merged ? [] : [n]));
  expect(left).toHaveLength(1);
  expect(rivals).toContain(left[0]);
  expect(gitIn(forge.directory, ['show', 'main:README.md'])).toBe('hello again');
}, 600_000);
