import { exampleOf } from './openapi.ts';
import { over, type Shapes, userShape, labelShape } from './shapes.ts';
import type { GitHubState, HeldComment, HeldToken } from './state.ts';

/** What a handler gets. */
export interface Asked {
  readonly state: GitHubState;
  readonly shapes: Shapes;
  readonly params: Readonly<Record<string, string>>;
  readonly query: Readonly<Record<string, string>>;
  readonly body: Readonly<Record<string, unknown>>;
  readonly token: HeldToken | null;
}
export interface Answered {
  readonly status: number;
  readonly body: unknown;
  /** A list that is answered in pages. */
  readonly isList?: boolean;
}
export interface Route {
  /** `permission: level`; `app`: signed in as the App; null: any token. */
  readonly needs: readonly [string, 'read' | 'write'] | 'app' | null;
  readonly answer: (asked: Asked) => Answered;
}

const repo = '/repos/{owner}/{repo}';
export const notFound: Answered = {
  status: 404,
  body: { message: 'Not Found', documentation_url: 'https://docs.github.com/rest', status: '404' },
};

export function invalid(message: string, errors: readonly unknown[] = []): Answered {
  return { status: 422, body: { message, errors, documentation_url: 'https://docs.github.com/rest' } };
}
const list = (body: readonly unknown[]): Answered => ({ status: 200, body, isList: true });
const ok = (body: unknown): Answered => ({ status: 200, body });

const pullOf = ({ state, params }: Asked) =>
  state.pulls.find((one) => String(one.number) === params['pull_number']);

const shown = (asked: Asked, status = 200): Answered => {
  const pull = pullOf(asked);
  if (pull === undefined) return notFound;
  return { status, body: asked.shapes.pull(pull, `${asked.state.slug}[bot]`) };
};

function openPull(asked: Asked): Answered {
  const { state, body } = asked;
  const { title, head, base, draft } = body as { title: string; head: string; base: string; draft?: boolean };
  const fault = (field: string) =>
    invalid('Validation Failed', [{ resource: 'PullRequest', field, code: 'invalid' }]);
  const [from, onto] = [state.headOf(head), state.headOf(base)];
  if (from === null) return fault('head');
  if (onto === null) return fault('base');
  const custom = (message: string) =>
    invalid('Validation Failed', [{ resource: 'PullRequest', code: 'custom', message }]);
  if (
    state.pulls.some((one) => one.branch === head && one.base === base && one.state === 'open' && !one.fork)
  )
    return custom(`A pull request already exists for ${state.owner}:${head}.`);
  if (!state.isAhead(onto, from)) return custom(`No commits between ${base} and ${head}`);
  const pull = {
    number: state.nextNumber(),
    branch: head,
    title,
    body: typeof body['body'] === 'string' ? body['body'] : '',
    base,
    draft: draft ?? false,
    state: 'open' as const,
    mergedAs: null,
    endHead: null,
    fork: false,
    labels: [],
    reviewers: [],
    createdAt: state.stamp(),
  };
  state.pulls.push(pull);
  return { status: 201, body: asked.shapes.pull(pull, asked.token?.login ?? '') };
}

function changePull(asked: Asked): Answered {
  const pull = pullOf(asked);
  if (pull === undefined) return notFound;
  const { title, body, base, state } = asked.body;
  if (typeof base === 'string' && asked.state.headOf(base) === null) return invalid('Validation Failed');
  if (typeof title === 'string') pull.title = title;
  if (typeof body === 'string') pull.body = body;
  if (typeof base === 'string') pull.base = base;
  if (state === 'closed' && pull.state === 'open')
    Object.assign(pull, { state, endHead: asked.state.headOf(pull.branch) });
  return shown(asked);
}

function mergePull(asked: Asked): Answered {
  const { state, body } = asked;
  const pull = pullOf(asked);
  if (pull === undefined) return notFound;
  const refused = (message: string): Answered => ({ status: 405, body: { message } });
  const method = typeof body['merge_method'] === 'string' ? body['merge_method'] : 'merge';
  if (pull.state !== 'open' || pull.draft) return refused('Pull Request is not mergeable');
  if (!state.allowedMethods.includes(method))
    return refused(
      `${method === 'merge' ? 'Merge commits' : `${method[0]!.toUpperCase()}${method.slice(1)} merges`} are not allowed on this repository.`,
    );
  const head = state.headOf(pull.branch);
  if (body['sha'] !== undefined && body['sha'] !== head)
    return { status: 409, body: { message: 'Head branch was modified. Review and try the merge again.' } };
  if (state.mergedTree(state.headOf(pull.base)!, head!) === null)
    return refused('Pull Request is not mergeable');
  const sha = state.merge(pull, `${String(body['commit_title'])}\n\n${String(body['commit_message'])}`);
  return ok({ sha, merged: true, message: 'Pull Request successfully merged' });
}

function askReview(asked: Asked): Answered {
  const pull = pullOf(asked);
  if (pull === undefined) return notFound;
  const wanted = (asked.body['reviewers'] ?? []) as string[];
  if (wanted.some((login) => !asked.state.people.has(login)) || asked.body['team_reviewers'] !== undefined)
    return invalid('Reviews may only be requested from collaborators.');
  pull.reviewers.push(...wanted);
  const example = exampleOf('post', `${repo}/pulls/{pull_number}/requested_reviewers`, 201);
  return { status: 201, body: over(example, { number: pull.number, requested_teams: [] }) };
}

function write(asked: Asked, over: Partial<HeldComment>, number: number): HeldComment {
  const { state, token, body } = asked;
  const login = token?.login ?? '';
  const comment: HeldComment = {
    id: state.nextId(),
    number,
    login,
    type: login.endsWith('[bot]') ? 'Bot' : 'User',
    body: String(body['body']),
    createdAt: state.stamp(),
    ...over,
  };
  state.comments.push(comment);
  return comment;
}

const change = (asked: Asked): HeldComment | undefined => {
  const found = asked.state.comments.find((one) => String(one.id) === asked.params['comment_id']);
  if (found !== undefined) found.body = String(asked.body['body']);
  return found;
};

const isThere = ({ state, params }: Asked): boolean =>
  [...state.pulls, ...state.issues].some((one) => String(one.number) === params['issue_number']);

const commentsOf = ({ state, params }: Asked, isReview: boolean): HeldComment[] =>
  state.comments.filter(
    (one) =>
      String(one.number) === (params['issue_number'] ?? params['pull_number']) &&
      (one.place !== undefined) === isReview,
  );

/** The REST parts that the adapter uses, by GitHub's own names of them. */
export const routes: Readonly<Record<string, Route>> = {
  'get /app': {
    needs: 'app',
    answer: ({ state }) =>
      ok(over(exampleOf('get', '/app', 200), { slug: state.slug, permissions: state.granted })),
  },
  'get /user': {
    needs: null,
    answer: ({ token }) => ok(over(exampleOf('get', '/user', 200), { login: token?.login, type: 'User' })),
  },
  [`get ${repo}/installation`]: {
    needs: 'app',
    answer: ({ state }) =>
      ok(over(exampleOf('get', `${repo}/installation`, 200), { id: 77, permissions: state.granted })),
  },
  'post /app/installations/{installation_id}/access_tokens': {
    needs: 'app',
    answer: ({ state, body, params }) => {
      if (params['installation_id'] !== '77') return notFound;
      const permissions = (body['permissions'] ?? state.granted) as Record<string, string>;
      const isGranted = ([name, level]: [string, string]): boolean =>
        state.granted[name] === 'write' || state.granted[name] === level;
      if (!Object.entries(permissions).every(isGranted))
        return invalid('The permissions requested are not granted to this installation.');
      const repositories = body['repositories'] as string[] | undefined;
      const held = state.giveToken({ permissions, repositories: repositories ?? null });
      return {
        status: 201,
        body: {
          token: held.token,
          expires_at: new Date(held.endsMs).toISOString(),
          permissions,
          repository_selection: 'selected',
        },
      };
    },
  },
  [`get ${repo}`]: {
    needs: null,
    answer: ({ state, token }) =>
      ok(
        over(exampleOf('get', repo, 200), {
          full_name: `${state.owner}/${state.name}`,
          permissions: { push: token?.permissions['contents'] === 'write', pull: true, admin: false },
        }),
      ),
  },
  [`get ${repo}/branches/{branch}`]: {
    needs: ['contents', 'read'],
    answer: ({ state, params }) => {
      const name = params['branch']!;
      const sha = state.headOf(name);
      const example = exampleOf('get', `${repo}/branches/{branch}`, 200);
      return sha === null ? notFound : ok(over(example, { name, commit: { sha } }));
    },
  },
  [`get ${repo}/pulls`]: {
    needs: ['pull_requests', 'read'],
    answer: ({ state, shapes, query }) => {
      const branch = query['head']?.split(':')[1];
      const found = state.pulls.filter((one) => branch === undefined || one.branch === branch);
      return list(found.toReversed().map((one) => withoutMerge(shapes.pull(one, `${state.slug}[bot]`))));
    },
  },
  [`post ${repo}/pulls`]: { needs: ['pull_requests', 'write'], answer: openPull },
  [`get ${repo}/pulls/{pull_number}`]: { needs: ['pull_requests', 'read'], answer: (asked) => shown(asked) },
  [`patch ${repo}/pulls/{pull_number}`]: { needs: ['pull_requests', 'write'], answer: changePull },
  [`put ${repo}/pulls/{pull_number}/merge`]: { needs: ['contents', 'write'], answer: mergePull },
  [`get ${repo}/pulls/{pull_number}/reviews`]: {
    needs: ['pull_requests', 'read'],
    answer: ({ state, shapes, params }) =>
      list(
        state.reviews
          .filter((one) => String(one.number) === params['pull_number'])
          .map((one) => shapes.review(one)),
      ),
  },
  [`get ${repo}/pulls/{pull_number}/comments`]: {
    needs: ['pull_requests', 'read'],
    answer: (asked) => list(commentsOf(asked, true).map((one) => asked.shapes.reviewComment(one))),
  },
  [`post ${repo}/pulls/{pull_number}/comments/{comment_id}/replies`]: {
    needs: ['pull_requests', 'write'],
    answer: (asked) => {
      const first = asked.state.comments.find((one) => String(one.id) === asked.params['comment_id']);
      if (first?.place === undefined || first.replyTo !== undefined) return notFound;
      const answer = write(asked, { place: first.place, replyTo: first.id }, first.number);
      return { status: 201, body: asked.shapes.reviewComment(answer) };
    },
  },
  [`patch ${repo}/pulls/comments/{comment_id}`]: {
    needs: ['pull_requests', 'write'],
    answer: (asked) => {
      const found = change(asked);
      return found === undefined ? notFound : ok(asked.shapes.reviewComment(found));
    },
  },
  [`post ${repo}/pulls/{pull_number}/requested_reviewers`]: {
    needs: ['pull_requests', 'write'],
    answer: askReview,
  },
  [`get ${repo}/issues/{issue_number}`]: {
    needs: ['issues', 'read'],
    answer: (asked) =>
      isThere(asked) ? ok(asked.shapes.issue(Number(asked.params['issue_number']))) : notFound,
  },
  [`get ${repo}/issues/{issue_number}/comments`]: {
    needs: ['issues', 'read'],
    answer: (asked) => list(commentsOf(asked, false).map((one) => asked.shapes.comment(one))),
  },
  [`post ${repo}/issues/{issue_number}/comments`]: {
    needs: ['issues', 'write'],
    answer: (asked) =>
      isThere(asked)
        ? {
            status: 201,
            body: asked.shapes.comment(write(asked, {}, Number(asked.params['issue_number']))),
          }
        : notFound,
  },
  [`patch ${repo}/issues/comments/{comment_id}`]: {
    needs: ['issues', 'write'],
    answer: (asked) => {
      const found = change(asked);
      return found === undefined ? notFound : ok(asked.shapes.comment(found));
    },
  },
  [`post ${repo}/issues/{issue_number}/labels`]: {
    needs: ['issues', 'write'],
    answer: ({ state, params, body }) => {
      const pull = state.pulls.find((one) => String(one.number) === params['issue_number']);
      if (pull === undefined) return notFound;
      pull.labels.push(...(body['labels'] as string[]));
      return ok(pull.labels.map(labelShape));
    },
  },
  [`get ${repo}/collaborators/{username}/permission`]: {
    needs: null,
    answer: ({ state, params }) => {
      const role = state.people.get(params['username']!);
      if (role === undefined) return notFound;
      const legacy = { maintain: 'write', triage: 'read' }[role] ?? role;
      const example = exampleOf('get', `${repo}/collaborators/{username}/permission`, 200);
      const user = over(userShape(params['username']!), { role_name: role });
      return ok(over(example, { permission: legacy, role_name: role, user }));
    },
  },
  [`get ${repo}/commits/{ref}/check-runs`]: {
    needs: ['checks', 'read'],
    answer: ({ state }) => {
      const path = `${repo}/commits/{ref}/check-runs`;
      const example = exampleOf('get', path, 200) as { check_runs: unknown[] };
      const runs = state.checkRuns.map(({ app, ...run }) =>
        over(example.check_runs[0], { ...run, app: { slug: app } }),
      );
      return ok({ total_count: runs.length, check_runs: runs });
    },
  },
  [`get ${repo}/commits/{ref}/status`]: {
    needs: ['statuses', 'read'],
    answer: ({ state, params }) => {
      const example = exampleOf('get', `${repo}/commits/{ref}/status`, 200) as { statuses: unknown[] };
      const last = new Map(
        state.statuses.filter(({ commit }) => commit === params['ref']).map((one) => [one.context, one]),
      );
      const statuses = [...last.values()].map(({ context, state: how, description }) =>
        over(example.statuses[0], { context, state: how, description }),
      );
      return ok({ ...example, sha: params['ref'], statuses, total_count: statuses.length });
    },
  },
  [`post ${repo}/statuses/{sha}`]: {
    needs: ['statuses', 'write'],
    answer: ({ state, params, body }) => {
      const status = body as { context: string; state: string; description: string };
      state.statuses.push({ commit: params['sha']!, ...status });
      return { status: 201, body: over(exampleOf('post', `${repo}/statuses/{sha}`, 201), status) };
    },
  },
};

/** Lists do not say whether it can be merged. */
function withoutMerge(pull: unknown): unknown {
  const { mergeable: _, mergeable_state: __, merged: ___, ...rest } = pull as Record<string, unknown>;
  return rest;
}
