import { createHash } from 'node:crypto';
import { z } from 'zod';
import { BerthError } from '../../domain/errors/index.ts';
import type { ForgeAccount, ForgeComment } from '../../domain/ports/forge.ts';
import { clipped, longestBody } from './pull-requests.ts';
import type { GitHubRepository } from './repository.ts';
import {
  commentSchema,
  issueSchema,
  reviewCommentSchema,
  reviewSchema,
  type ShapeOfAccount,
  type ShapeOfComment,
  type ShapeOfReviewComment,
} from './shapes.ts';

/** Hidden at the end of what Berth writes: finds its comment again, in text of its own account alone. */
const marker = /\n*<!-- berth:[0-9a-f]{32} -->/g;

function markerOf(key: string): string {
  return `<!-- berth:${createHash('sha256').update(key).digest('hex').slice(0, 32)} -->`;
}

/** An account for people; those that are gone are GitHub's ghost. @param self the login Berth acts as */
export function accountOf(shape: ShapeOfAccount | null, self: string, isByApp = false): ForgeAccount {
  if (shape === null) return { login: 'ghost', isBot: true };
  const isOurs = shape.login.toLowerCase() === self.toLowerCase();
  const isBot = isByApp || isOurs || shape.type === 'Bot' || shape.login.endsWith('[bot]');
  return { login: shape.login, isBot };
}

type Source = 'issue' | 'review-comment';

/** Without the marker where it is ours: what people see. */
function commentOf(
  shape: ShapeOfComment,
  self: string,
  rest: Pick<ForgeComment, 'place' | 'thread'>,
  kind: string,
) {
  const isByApp = shape.performed_via_github_app !== null && shape.performed_via_github_app !== undefined;
  const author = accountOf(shape.user, self, isByApp);
  const body = shape.body ?? '';
  return {
    id: `${kind}:${shape.id}`,
    url: shape.html_url,
    body: isSelf(shape, self) ? body.replaceAll(marker, '') : body,
    author,
    createdAt: new Date(shape.created_at).toISOString(),
    ...rest,
  };
}

function reviewCommentOf(shape: ShapeOfReviewComment, self: string): ForgeComment {
  return commentOf(
    shape,
    self,
    {
      place: { path: shape.path, line: shape.line ?? null, side: shape.side === 'LEFT' ? 'old' : 'new' },
      // Every answer names the first of its thread.
      thread: String(shape.in_reply_to_id ?? shape.id),
    },
    'review-comment',
  );
}

const conversation = { place: null, thread: null } as const;

function isSelf(shape: ShapeOfComment, self: string): boolean {
  return shape.user?.login.toLowerCase() === self.toLowerCase();
}

const issueComments = (repository: GitHubRepository, number: number): Promise<ShapeOfComment[][]> =>
  repository.pages(
    {
      method: 'GET',
      path: `/issues/${number}/comments?per_page=100`,
      purpose: 'talk',
      what: `reading the comments of #${number}`,
      isPolled: true,
    },
    z.array(commentSchema),
  );

const reviewComments = (repository: GitHubRepository, number: number): Promise<ShapeOfReviewComment[][]> =>
  repository.pages(
    {
      method: 'GET',
      path: `/pulls/${number}/comments?per_page=100`,
      purpose: 'talk',
      what: `reading the review comments of #${number}`,
      isPolled: true,
    },
    z.array(reviewCommentSchema),
  );

/** Everything that was said, oldest first: comments, review comments, and reviews that say something. */
export async function listComments(
  repository: GitHubRepository,
  number: number,
  self: string,
): Promise<ForgeComment[]> {
  const issue = await repository.json(
    { method: 'GET', path: `/issues/${number}`, purpose: 'talk', what: `reading #${number}`, isPolled: true },
    issueSchema,
  );
  const said = (await issueComments(repository, number))
    .flat()
    .map((shape) => commentOf(shape, self, conversation, 'comment'));
  if (issue.pull_request === undefined) return inOrder(said);
  const [inDiff, reviews] = await Promise.all([
    reviewComments(repository, number),
    repository.pages(
      {
        method: 'GET',
        path: `/pulls/${number}/reviews?per_page=100`,
        purpose: 'talk',
        what: `reading the reviews of #${number}`,
        isPolled: true,
      },
      z.array(reviewSchema),
    ),
  ]);
  const summaries = reviews.flat().flatMap((review) => {
    // One that is being written is its author's alone.
    if (review.state === 'PENDING' || (review.body ?? '') === '' || review.submitted_at == null) return [];
    return [commentOf({ ...review, created_at: review.submitted_at }, self, conversation, 'review')];
  });
  return inOrder([...said, ...inDiff.flat().map((one) => reviewCommentOf(one, self)), ...summaries]);
}

function inOrder(comments: readonly ForgeComment[]): ForgeComment[] {
  return comments.toSorted((one, other) =>
    one.createdAt === other.createdAt
      ? compareIds(one.id, other.id)
      : one.createdAt < other.createdAt
        ? -1
        : 1,
  );
}

function compareIds(one: string, other: string): number {
  return Number(one.split(':')[1]) - Number(other.split(':')[1]);
}

export interface WrittenComment {
  readonly key: string;
  readonly body: string;
  readonly thread?: string | null;
}

/** Writes a comment or changes the one that was written with this key before. */
export async function writeComment(
  repository: GitHubRepository,
  number: number,
  comment: WrittenComment,
  self: string,
): Promise<ForgeComment> {
  const thread = comment.thread ?? null;
  if (thread !== null && !/^[1-9]\d{0,17}$/.test(thread))
    throw new BerthError('FORGE_NOT_FOUND', `There is no thread "${thread.slice(0, 40)}" on GitHub.`);
  const mark = markerOf(comment.key);
  // What is written may quote an earlier comment whole: two marks would make two comments one.
  const own = clipped(comment.body.replaceAll(marker, ''), longestBody - mark.length - 2);
  const body = `${own}\n\n${mark}`;
  const source: Source = thread === null ? 'issue' : 'review-comment';
  const earlier = (): Promise<ShapeOfComment | null> => findMarked(repository, number, source, mark, self);
  const found = (await earlier()) ?? (await post(repository, number, thread, body, earlier));
  const shape = (found.body ?? '') === body ? found : await change(repository, source, found.id, body);
  if (source === 'issue') return commentOf(shape, self, conversation, 'comment');
  return reviewCommentOf(reviewCommentSchema.parse(shape), self);
}

async function findMarked(
  repository: GitHubRepository,
  number: number,
  source: Source,
  mark: string,
  self: string,
): Promise<ShapeOfComment | null> {
  const pages: ShapeOfComment[][] =
    source === 'issue' ? await issueComments(repository, number) : await reviewComments(repository, number);
  return pages.flat().find((one) => isSelf(one, self) && (one.body ?? '').trimEnd().endsWith(mark)) ?? null;
}

/** After a lost answer it is looked for before it is sent again. */
async function post(
  repository: GitHubRepository,
  number: number,
  thread: string | null,
  body: string,
  earlier: () => Promise<ShapeOfComment | null>,
): Promise<ShapeOfComment> {
  const path = thread === null ? `/issues/${number}/comments` : `/pulls/${number}/comments/${thread}/replies`;
  const schema = thread === null ? commentSchema : reviewCommentSchema;
  for (let attempt = 0; ; attempt += 1) {
    try {
      return await repository.json(
        { method: 'POST', path, body: { body }, purpose: 'talk', what: `commenting on #${number}` },
        schema,
      );
    } catch (error) {
      const isUncertain =
        error instanceof BerthError && ['FORGE_UNREACHABLE', 'FORGE_ANSWER_INVALID'].includes(error.code);
      if (!isUncertain) throw error;
      const found = await earlier();
      if (found !== null) return found;
      if (attempt === 2) throw error;
    }
  }
}

async function change(
  repository: GitHubRepository,
  source: Source,
  id: number,
  body: string,
): Promise<ShapeOfComment> {
  const [path, schema] =
    source === 'issue'
      ? [`/issues/comments/${id}`, commentSchema]
      : [`/pulls/comments/${id}`, reviewCommentSchema];
  return repository.json(
    { method: 'PATCH', path, body: { body }, purpose: 'talk', what: 'changing a comment' },
    schema,
  );
}
