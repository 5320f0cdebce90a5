import { BerthError } from '../../domain/errors/index.ts';
import { visible } from '../../domain/events/index.ts';
import type { PullRequest } from '../../domain/ports/forge.ts';
import { refusalOf } from './failures.ts';
import { pullRequestOf, readPullRequest } from './pull-requests.ts';
import type { GitHubRepository } from './repository.ts';
import { pullRequestSchema, type ShapeOfPullRequest } from './shapes.ts';

/** A repository may not allow the first. */
const methods = ['merge', 'squash', 'rebase'] as const;
/** GitHub works out whether a pull request can be merged after it was asked for it. */
const pausesMs = [500, 1_000, 2_000, 4_000];

/** @throws BerthError `NOT_FOUND`, `CONFLICT`, `DRAFT_NOT_MERGEABLE`, `MERGE_CONFLICT`, `FORGE_*` */
export async function mergePullRequest(
  repository: GitHubRepository,
  number: number,
  by: string,
): Promise<PullRequest> {
  const shape = await readOrThrow(repository, number);
  const { state } = pullRequestOf(shape);
  if (state !== 'open') throw new BerthError('CONFLICT', `Pull request #${number} is ${state}.`);
  if (shape.draft === true) throw new BerthError('DRAFT_NOT_MERGEABLE');
  if ((await settledState(repository, shape)) === 'dirty') throw conflicts(shape);
  for (const method of methods) {
    const answer = await repository
      .send({
        method: 'PUT',
        path: `/pulls/${number}/merge`,
        // Only what was looked at is merged; what came since is refused.
        body: { merge_method: method, sha: shape.head.sha, ...wordsOf(method, shape, by) },
        purpose: 'merge',
        what: `merging pull request #${number}`,
        expect: [405, 409, 422],
      })
      .catch(async (error: unknown) => {
        const now = await readPullRequest(repository, number, { isPolled: false }).catch(() => null);
        // The answer was lost, and the merge was not.
        if (now !== null && now.merged_at !== null) return null;
        throw error;
      });
    if (answer === null) break;
    if (answer.status === 200) break;
    const { message } = refusalOf(answer.text);
    const now = await readOrThrow(repository, number);
    // Sent twice because the first answer was lost: the second is refused.
    if (now.merged_at !== null) return pullRequestOf(now);
    if (answer.status === 409)
      throw new BerthError('CONFLICT', `Pull request #${number} was changed while it was to be merged.`, {
        next: 'Look at what came since, then merge again.',
      });
    const isMethod = /(merge commits|squash merges?|rebase merges?) (is|are) not allowed/i.test(message);
    if (isMethod && method !== 'rebase') continue;
    if (now.mergeable_state === 'dirty' || now.mergeable === false) throw conflicts(shape);
    throw new BerthError(
      'FORGE_REFUSED',
      `${repository.connection.name} does not merge #${number}: ${message}.`,
    );
  }
  return pullRequestOf(await readOrThrow(repository, number));
}

function wordsOf(
  method: (typeof methods)[number],
  { number, title }: ShapeOfPullRequest,
  by: string,
): Record<string, string> {
  // A rebase keeps the words of its commits.
  if (method === 'rebase') return {};
  const heading = method === 'merge' ? `Merge pull request #${number}: ${title}` : `${title} (#${number})`;
  return { commit_title: heading, commit_message: `Merged with Berth by ${visible(by).slice(0, 200)}` };
}

async function settledState(repository: GitHubRepository, shape: ShapeOfPullRequest): Promise<string> {
  const { clock, client } = repository.connection;
  let now = shape;
  for (const pauseMs of pausesMs) {
    if (now.mergeable !== null && now.mergeable_state !== 'unknown') break;
    await clock.sleep(pauseMs, client.options.signal);
    now = await readOrThrow(repository, shape.number);
  }
  if (now.mergeable === false) return 'dirty';
  return now.mergeable_state ?? 'unknown';
}

function conflicts({ number, base }: ShapeOfPullRequest): BerthError {
  return new BerthError('MERGE_CONFLICT', `Pull request #${number} conflicts with ${base.ref}.`);
}

/** @throws BerthError `NOT_FOUND`, `CONFLICT` when it is merged */
export async function closePullRequest(repository: GitHubRepository, number: number): Promise<PullRequest> {
  const shape = await readOrThrow(repository, number);
  const before = pullRequestOf(shape);
  if (before.state === 'merged') throw new BerthError('CONFLICT', `Pull request #${number} is merged.`);
  if (before.state === 'closed') return before;
  return pullRequestOf(
    await repository.json(
      {
        method: 'PATCH',
        path: `/pulls/${number}`,
        body: { state: 'closed' },
        purpose: 'propose',
        what: `closing pull request #${number}`,
      },
      pullRequestSchema,
    ),
  );
}

async function readOrThrow(repository: GitHubRepository, number: number): Promise<ShapeOfPullRequest> {
  const shape = await readPullRequest(repository, number, { isPolled: false });
  if (shape !== null) return shape;
  throw new BerthError('NOT_FOUND', `There is no pull request #${number} on ${repository.fullName}.`, {
    next: 'List them with `berth proposals`.',
  });
}
