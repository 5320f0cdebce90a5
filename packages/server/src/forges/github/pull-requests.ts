import { z } from 'zod';
import { BerthError } from '../../domain/errors/index.ts';
import type { OpenPullRequest, PullRequest } from '../../domain/ports/forge.ts';
import { parsedJson, refusalOf } from './failures.ts';
import type { GitHubRepository } from './repository.ts';
import { branchSchema, pullRequestSchema, reviewSchema, type ShapeOfPullRequest } from './shapes.ts';

/** Longest that GitHub takes, in characters. */
const longestTitle = 256;
export const longestBody = 65_536;
/** Pages of a hundred that a list of pull requests reads: the newest. */
const listedPages = 10;

export function clipped(text: string, longest: number): string {
  return text.length <= longest ? text : `${text.slice(0, longest - 2)} …`;
}

export function pullRequestOf(shape: ShapeOfPullRequest): PullRequest {
  const isMerged = shape.merged_at !== null;
  return {
    number: shape.number,
    url: shape.html_url,
    title: shape.title,
    body: shape.body ?? '',
    branch: shape.head.ref,
    base: shape.base.ref,
    head: shape.head.sha,
    draft: shape.draft ?? false,
    state: isMerged ? 'merged' : shape.state,
    createdAt: new Date(shape.created_at).toISOString(),
    // Of an open one GitHub answers a merge it only tried.
    mergedAs: isMerged ? (shape.merge_commit_sha ?? null) : null,
  };
}

export async function readPullRequest(
  repository: GitHubRepository,
  number: number,
  options: { readonly isPolled: boolean } = { isPolled: true },
): Promise<ShapeOfPullRequest | null> {
  return repository.jsonOrNull(
    {
      method: 'GET',
      path: `/pulls/${number}`,
      purpose: 'propose',
      what: `reading pull request #${number}`,
      ...options,
    },
    pullRequestSchema,
  );
}

/** The newest thousand, from the oldest. */
export async function listPullRequests(repository: GitHubRepository): Promise<PullRequest[]> {
  const pages = await repository.pages(
    {
      method: 'GET',
      path: '/pulls?state=all&sort=created&direction=desc&per_page=100',
      purpose: 'propose',
      what: 'listing pull requests',
      isPolled: true,
    },
    z.array(pullRequestSchema),
    listedPages,
  );
  return pages
    .flat()
    .map(pullRequestOf)
    .sort((one, other) => one.number - other.number);
}

/**
 * The pull request of a branch of this repository: the open one, else the newest. A fork's branch of the same name is
 * another's, whoever opened it.
 */
async function ofBranch(repository: GitHubRepository, branch: string): Promise<ShapeOfPullRequest | null> {
  const head = encodeURIComponent(`${repository.name.owner}:${branch}`);
  const found = await repository.json(
    {
      method: 'GET',
      path: `/pulls?state=all&head=${head}&sort=created&direction=desc&per_page=100`,
      purpose: 'propose',
      what: `looking for the pull request of ${branch}`,
    },
    z.array(pullRequestSchema),
  );
  const ours = found.filter(
    (one) => one.head.ref === branch && one.head.repo !== null && one.head.repo.id === one.base.repo.id,
  );
  return ours.find((one) => one.state === 'open') ?? ours[0] ?? null;
}

/**
 * Opens the one pull request of a branch, or brings it to what is asked for. Found by its branch, so that a crash or a
 * lost answer at any place leads to the same one.
 */
export async function openPullRequest(
  repository: GitHubRepository,
  request: OpenPullRequest,
): Promise<PullRequest> {
  const wanted = {
    ...request,
    title: clipped(request.title, longestTitle),
    body: clipped(request.body, longestBody),
  };
  const known = await ofBranch(repository, wanted.branch);
  const shape = known ?? (await create(repository, wanted));
  if (shape.state !== 'open') return pullRequestOf(shape);
  await assertBranches(repository, wanted, shape);
  const changed = await bringTo(repository, shape, wanted);
  await addLabels(repository, changed, wanted.labels ?? []);
  await askReviewers(repository, changed, wanted.reviewers ?? []);
  return pullRequestOf(changed);
}

async function create(repository: GitHubRepository, wanted: OpenPullRequest): Promise<ShapeOfPullRequest> {
  const { title, body, branch, base, draft } = wanted;
  const what = `opening a pull request for ${branch}`;
  const found = (): Promise<ShapeOfPullRequest | null> => ofBranch(repository, branch);
  let answer;
  for (let attempt = 0; answer === undefined; attempt += 1) {
    try {
      answer = await repository.send({
        method: 'POST',
        path: '/pulls',
        body: { title, body, head: branch, base, draft },
        purpose: 'propose',
        what,
        expect: [422],
      });
    } catch (error) {
      // Whether it was opened is not known: its answer was lost. Looking tells.
      if (!(error instanceof BerthError) || !isUncertain(error)) throw error;
      const opened = await found();
      if (opened !== null) return opened;
      if (attempt === 2) throw error;
      const { clock, client } = repository.connection;
      await clock.sleep(1_000 * (attempt + 1), client.options.signal);
    }
  }
  if (answer.status === 422) {
    const { message, faults } = refusalOf(answer.text);
    if (faults.includes('head:invalid'))
      throw new BerthError('CONFLICT', `The branch ${branch} was not pushed to ${repository.fullName}.`, {
        next: 'Push the branch first, then open the pull request.',
      });
    if (faults.includes('base:invalid')) throw baseUnknown(repository, base);
    const opened = await found();
    if (opened !== null) return opened;
    throw new BerthError('FORGE_REFUSED', `${repository.connection.name} refused ${what}: ${message}.`);
  }
  const parsed = pullRequestSchema.safeParse(parsedJson(answer.text));
  if (parsed.success) return parsed.data;
  const opened = await found();
  if (opened !== null) return opened;
  throw new BerthError('FORGE_ANSWER_INVALID', undefined, { cause: parsed.error });
}

function isUncertain(error: BerthError): boolean {
  return error.code === 'FORGE_UNREACHABLE' || error.code === 'FORGE_ANSWER_INVALID';
}

/** What an update does not say by itself: both branches are there. */
async function assertBranches(
  repository: GitHubRepository,
  wanted: OpenPullRequest,
  shape: ShapeOfPullRequest,
): Promise<void> {
  if (shape.base.ref === wanted.base) return;
  const base = await repository.jsonOrNull(
    {
      method: 'GET',
      path: `/branches/${encodeURIComponent(wanted.base)}`,
      purpose: 'fetch',
      what: `looking for the branch ${wanted.base}`,
    },
    branchSchema,
  );
  if (base === null) throw baseUnknown(repository, wanted.base);
}

function baseUnknown(repository: GitHubRepository, base: string): BerthError {
  return new BerthError('BASE_UNKNOWN', `The base branch ${base} does not exist on ${repository.fullName}.`);
}

/** Title, text, base, and whether it is a draft, which GitHub changes over GraphQL alone. */
async function bringTo(
  repository: GitHubRepository,
  shape: ShapeOfPullRequest,
  wanted: OpenPullRequest,
): Promise<ShapeOfPullRequest> {
  const { title, body, base, draft } = wanted;
  let now = shape;
  // Made a draft before its text speaks of it, and ready after: it never claims more than its text.
  if (draft && now.draft !== true) now = await setDraft(repository, now, true);
  // What is stored of a text has other line ends than what was sent.
  const isSame = now.title === title && plain(now.body ?? '') === plain(body) && now.base.ref === base;
  if (!isSame) {
    now = await repository.json(
      {
        method: 'PATCH',
        path: `/pulls/${now.number}`,
        body: { title, body, ...(now.base.ref === base ? {} : { base }) },
        purpose: 'propose',
        what: `changing pull request #${now.number}`,
      },
      pullRequestSchema,
    );
  }
  if (!draft && now.draft === true) now = await setDraft(repository, now, false);
  return now;
}

function plain(text: string): string {
  return text.replaceAll('\r\n', '\n').trimEnd();
}

async function setDraft(
  repository: GitHubRepository,
  shape: ShapeOfPullRequest,
  draft: boolean,
): Promise<ShapeOfPullRequest> {
  const mutation = draft ? 'convertPullRequestToDraft' : 'markPullRequestReadyForReview';
  await repository.mutate(
    'propose',
    `making pull request #${shape.number} ${draft ? 'a draft' : 'ready'}`,
    `mutation($id: ID!) { ${mutation}(input: { pullRequestId: $id }) { pullRequest { isDraft } } }`,
    { id: shape.node_id },
  );
  const now = await readPullRequest(repository, shape.number, { isPolled: false });
  if (now !== null && (now.draft ?? false) === draft) return now;
  throw new BerthError(
    'FORGE_REFUSED',
    `Pull request #${shape.number} did not become ${draft ? 'a draft' : 'ready'} on ${repository.fullName}.`,
  );
}

async function addLabels(
  repository: GitHubRepository,
  shape: ShapeOfPullRequest,
  labels: readonly string[],
): Promise<void> {
  const has = new Set(shape.labels.map(({ name }) => name.toLowerCase()));
  const missing = labels.filter((label) => !has.has(label.toLowerCase()));
  if (missing.length === 0) return;
  await repository.send({
    method: 'POST',
    path: `/issues/${shape.number}/labels`,
    body: { labels: missing },
    purpose: 'propose',
    what: `labelling pull request #${shape.number}`,
    isRepeatable: true,
  });
}

/** Those who were asked or have answered are not asked again: each request sends a mail. */
async function askReviewers(
  repository: GitHubRepository,
  shape: ShapeOfPullRequest,
  reviewers: readonly string[],
): Promise<void> {
  if (reviewers.length === 0) return;
  const path = `/pulls/${shape.number}`;
  const what = `asking for a review of pull request #${shape.number}`;
  const reviews = await repository.pages(
    { method: 'GET', path: `${path}/reviews?per_page=100`, purpose: 'propose', what },
    z.array(reviewSchema),
  );
  const done = new Set([
    ...(shape.requested_reviewers ?? []).map(({ login }) => login.toLowerCase()),
    ...(shape.requested_teams ?? []).map(({ slug }) => `team ${slug.toLowerCase()}`),
    ...reviews.flat().flatMap(({ user }) => (user === null ? [] : [user.login.toLowerCase()])),
  ]);
  for (const reviewer of reviewers) {
    // `organisation/team`.
    const team = reviewer.includes('/') ? reviewer.slice(reviewer.indexOf('/') + 1) : null;
    if (done.has(team === null ? reviewer.toLowerCase() : `team ${team.toLowerCase()}`)) continue;
    await repository.send({
      method: 'POST',
      path: `${path}/requested_reviewers`,
      body: team === null ? { reviewers: [reviewer] } : { team_reviewers: [team] },
      purpose: 'propose',
      what,
      isRepeatable: true,
      // One at a time: GitHub refuses all for one that it does not know.
      expect: [404, 422],
    });
  }
}
