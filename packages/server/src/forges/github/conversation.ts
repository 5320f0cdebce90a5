import type { RepositoryPermission } from '../../domain/config/index.ts';
import type { ForgeConversation, ForgeIssue } from '../../domain/ports/forge.ts';
import { checksOf, failedLog, setStatus } from './checks.ts';
import { accountOf, listComments, writeComment } from './comments.ts';
import type { GitHubRepository } from './repository.ts';
import { issueSchema, permissionSchema } from './shapes.ts';

/** Issues, comments, people and checks of one repository. */
export function gitHubConversation(repository: GitHubRepository): ForgeConversation {
  const selfLogin = (): Promise<string> => repository.connection.credentials.login();
  // One after the other: two at once would look, find nothing, and both write.
  const writing = new Map<string, Promise<unknown>>();
  return {
    self: async () => ({ login: await selfLogin(), isBot: true }),
    async getIssue(number) {
      const shape = await repository.jsonOrNull(
        {
          method: 'GET',
          path: `/issues/${number}`,
          purpose: 'talk',
          what: `reading #${number}`,
          isPolled: true,
        },
        issueSchema,
      );
      if (shape === null) return null;
      const issue: ForgeIssue = {
        number: shape.number,
        url: shape.html_url,
        title: shape.title,
        body: shape.body ?? '',
        author: accountOf(shape.user, await selfLogin()),
        state: shape.state === 'open' ? 'open' : 'closed',
        labels: shape.labels.flatMap((label) => {
          const name = typeof label === 'string' ? label : label.name;
          return name === null || name === undefined ? [] : [name];
        }),
        createdAt: new Date(shape.created_at).toISOString(),
        isPullRequest: shape.pull_request !== undefined,
      };
      return issue;
    },
    listComments: async (number) => listComments(repository, number, await selfLogin()),
    async comment(number, comment) {
      const key = `${number} ${comment.key}`;
      const before = writing.get(key) ?? Promise.resolve();
      const now = before
        .catch(() => undefined)
        .then(async () => writeComment(repository, number, comment, await selfLogin()));
      writing.set(key, now);
      try {
        return await now;
      } finally {
        if (writing.get(key) === now) writing.delete(key);
      }
    },
    async permissionOf(login) {
      if (!/^[A-Za-z0-9][A-Za-z0-9_-]{0,99}(\[bot\])?$/.test(login)) return 'none';
      const found = await repository.jsonOrNull(
        {
          method: 'GET',
          path: `/collaborators/${encodeURIComponent(login)}/permission`,
          purpose: 'talk',
          what: `asking what ${login} may do`,
        },
        permissionSchema,
      );
      return found === null ? 'none' : permissionOf(found);
    },
    checksOf: (commit) => checksOf(repository, commit),
    failedLog: (log, maxBytes) => failedLog(repository, log, maxBytes),
    setStatus: (commit, status) => setStatus(repository, commit, status),
  };
}

/** A role that an organisation made counts as the base it was made from. */
function permissionOf({
  permission,
  role_name: role,
}: {
  readonly permission: string;
  readonly role_name?: string | undefined;
}): RepositoryPermission {
  // `permission` calls triage read, and maintain write.
  if (role === 'triage') return permission === 'read' ? 'triage' : 'none';
  switch (permission) {
    case 'admin':
    case 'write':
    case 'read':
      return permission;
    default:
      return 'none';
  }
}
