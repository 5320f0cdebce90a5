import { exampleOf } from './openapi.ts';
import type { GitHubState, HeldComment, HeldPull } from './state.ts';

type Tree = Record<string, unknown>;

/** GitHub's own example with what is known put over it; lists are replaced. */
export function over(example: unknown, known: unknown): unknown {
  const isTree = (value: unknown): value is Tree =>
    typeof value === 'object' && value !== null && !Array.isArray(value);
  if (!isTree(example) || !isTree(known)) return known;
  return {
    ...example,
    ...Object.fromEntries(Object.entries(known).map(([key, value]) => [key, over(example[key], value)])),
  };
}

const repo = '/repos/{owner}/{repo}';
const pullExample = exampleOf('get', `${repo}/pulls/{pull_number}`, 200);
const issueExample = exampleOf('get', `${repo}/issues/{issue_number}`, 200) as Tree;
const commentExample = (exampleOf('get', `${repo}/issues/{issue_number}/comments`, 200) as unknown[])[0];
const reviewCommentExample = (exampleOf('get', `${repo}/pulls/{pull_number}/comments`, 200) as unknown[])[0];
const reviewExample = (exampleOf('get', `${repo}/pulls/{pull_number}/reviews`, 200) as unknown[])[0];
const labelExample = (exampleOf('post', `${repo}/issues/{issue_number}/labels`, 200) as unknown[])[0];
const userExample = (pullExample as { user: unknown }).user;

export function userShape(login: string): unknown {
  return over(userExample, { login, type: login.endsWith('[bot]') ? 'Bot' : 'User' });
}

export function labelShape(name: string): unknown {
  return over(labelExample, { name });
}

export class Shapes {
  readonly #state: GitHubState;
  readonly #web: () => string;

  constructor(state: GitHubState, web: () => string) {
    this.#state = state;
    this.#web = web;
  }

  pull(pull: HeldPull, login: string): unknown {
    const { owner, name } = this.#state;
    const head = pull.endHead ?? this.#state.headOf(pull.branch) ?? '0'.repeat(40);
    const base = this.#state.headOf(pull.base) ?? '0'.repeat(40);
    const isOpen = pull.state === 'open';
    const mergeable = isOpen && !pull.fork ? this.#state.mergedTree(base, head) !== null : null;
    const repository = (id: number, full: string): unknown => ({ id, name, full_name: full });
    return over(pullExample, {
      number: pull.number,
      node_id: `PR_${pull.number}`,
      html_url: `${this.#web()}/${owner}/${name}/pull/${pull.number}`,
      title: pull.title,
      // As GitHub stores texts of forms.
      body: pull.body,
      state: pull.state,
      draft: pull.draft,
      merged: pull.mergedAs !== null,
      merged_at: pull.mergedAs === null ? null : pull.createdAt,
      closed_at: isOpen ? null : pull.createdAt,
      // Of an open one: a merge that GitHub only tries.
      merge_commit_sha: pull.mergedAs ?? (isOpen ? 'f'.repeat(40) : null),
      mergeable,
      mergeable_state: mergeable === null ? 'unknown' : mergeable ? 'clean' : 'dirty',
      created_at: pull.createdAt,
      user: userShape(login),
      labels: pull.labels.map(labelShape),
      requested_reviewers: pull.reviewers.map(userShape),
      requested_teams: [],
      head: {
        ref: pull.branch,
        sha: head,
        label: `${owner}:${pull.branch}`,
        repo: pull.fork ? repository(2, `stranger/${name}`) : repository(1, `${owner}/${name}`),
      },
      base: { ref: pull.base, sha: base, repo: repository(1, `${owner}/${name}`) },
    });
  }

  issue(number: number): unknown {
    const pull = this.#state.pulls.find((one) => one.number === number);
    const issue = this.#state.issues.find((one) => one.number === number);
    const { pull_request: _, ...rest } = issueExample;
    const page = `${this.#web()}/acme/web/pull/${number}`;
    const pullLinks = { url: page, html_url: page, diff_url: page, patch_url: page };
    return over(rest, {
      number,
      title: pull?.title ?? issue?.title ?? '',
      body: pull?.body ?? issue?.body ?? '',
      state: pull?.state ?? 'open',
      html_url: `${this.#web()}/acme/web/issues/${number}`,
      user: userShape(issue?.login ?? `${this.#state.slug}[bot]`),
      labels: (issue?.labels ?? pull?.labels ?? []).map(labelShape),
      created_at: '2026-01-01T00:00:00Z',
      assignee: null,
      closed_at: null,
      ...(pull === undefined ? {} : { pull_request: pullLinks }),
    });
  }

  comment(comment: HeldComment): unknown {
    return over(commentExample, {
      id: comment.id,
      body: comment.body,
      html_url: `${this.#web()}/acme/web/issues/${comment.number}#issuecomment-${comment.id}`,
      user: userShape(comment.login),
      created_at: comment.createdAt,
      updated_at: comment.createdAt,
    });
  }

  reviewComment(comment: HeldComment): unknown {
    // Of a comment that the diff moved away from, `line` is left out.
    const { in_reply_to_id: _, line: __, ...example } = reviewCommentExample as Tree;
    const place = comment.place ?? { path: 'a.txt', line: 1, side: 'RIGHT' };
    return over(example, {
      id: comment.id,
      body: comment.body,
      html_url: `${this.#web()}/acme/web/pull/${comment.number}#discussion_r${comment.id}`,
      user: userShape(comment.login),
      path: place.path,
      side: place.side,
      created_at: comment.createdAt,
      updated_at: comment.createdAt,
      ...(place.line === null ? {} : { line: place.line }),
      ...(comment.replyTo === undefined ? {} : { in_reply_to_id: comment.replyTo }),
    });
  }

  review(review: GitHubState['reviews'][number]): unknown {
    return over(reviewExample, {
      id: review.id,
      body: review.body,
      state: review.state,
      user: userShape(review.login),
      submitted_at: review.at,
    });
  }
}
