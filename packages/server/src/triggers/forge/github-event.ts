import { z } from 'zod';
import { berthMark, type ForgeHappening } from './event.ts';

const accountSchema = z.object({ login: z.string().min(1).max(200), type: z.string().optional() });
const textSchema = z.string().nullish();
const objectSchema = z.object({
  number: z.int().positive(),
  body: textSchema,
  user: accountSchema.nullish(),
  pull_request: z.unknown().optional(),
});
const commonSchema = z.object({
  action: z.string().max(100),
  sender: accountSchema,
  repository: z.object({ full_name: z.string().regex(/^[A-Za-z0-9_.-]{1,100}\/[A-Za-z0-9_.-]{1,200}$/) }),
});
const partsSchema = z.object({
  issue: objectSchema.optional(),
  pull_request: objectSchema.optional(),
  label: z.object({ name: z.string().max(500) }).optional(),
  assignee: accountSchema.nullish(),
  comment: z.object({ body: textSchema, user: accountSchema.nullish() }).optional(),
  review: z.object({ body: textSchema, user: accountSchema.nullish() }).optional(),
});

/** Events that can start something. What else a forge sends is answered and not kept. */
export const gitHubEvents: ReadonlySet<string> = new Set([
  'ping',
  'issues',
  'issue_comment',
  'pull_request',
  'pull_request_review',
  'pull_request_review_comment',
]);

/** What a delivery of GitHub says that may start something; null: nothing of the kind. Pure; the body is hostile. */
export function gitHubHappening(event: string, body: unknown): ForgeHappening | null {
  const common = commonSchema.safeParse(body);
  const parts = partsSchema.safeParse(body);
  if (!common.success || !parts.success) return null;
  const { action, sender, repository } = common.data;
  const { issue, pull_request: pullRequest, label, assignee, comment, review } = parts.data;
  const object = issue ?? pullRequest;
  if (object === undefined) return null;
  const made = (cause: ForgeHappening['cause']): ForgeHappening => ({
    repository: repository.full_name,
    number: object.number,
    isPullRequest: pullRequest !== undefined || object.pull_request !== undefined,
    actor: { login: sender.login, isBot: isBot(sender) },
    cause,
    isOfBerth: cause.kind === 'written' && cause.text.includes(berthMark),
  });
  /** Who is said to have written it must be who sent it: an edit is somebody else's doing. */
  const written = (
    text: string | null | undefined,
    author: Account | null | undefined,
  ): ForgeHappening | null =>
    text == null || text === '' || author?.login !== sender.login ? null : made({ kind: 'written', text });
  switch (`${event}.${action}`) {
    case 'issues.labeled':
      return label === undefined ? null : made({ kind: 'labelled', label: label.name });
    case 'issues.assigned':
      return assignee == null ? null : made({ kind: 'assigned', assignee: assignee.login });
    case 'issues.opened':
    case 'pull_request.opened':
      return written(object.body, object.user);
    case 'issue_comment.created':
    case 'pull_request_review_comment.created':
      return written(comment?.body, comment?.user);
    case 'pull_request_review.submitted':
      return written(review?.body, review?.user);
    default:
      return null;
  }
}

type Account = z.infer<typeof accountSchema>;

function isBot({ login, type }: Account): boolean {
  return (type !== undefined && type !== 'User') || /\[bot\]$/i.test(login);
}

/** What it is about, for lists: `acme/web#12`; null where nothing is named. */
export function gitHubSubject(body: unknown): string | null {
  const found = z
    .object({ repository: commonSchema.shape.repository })
    .and(partsSchema.pick({ issue: true, pull_request: true }))
    .safeParse(body);
  if (!found.success) return null;
  const number = (found.data.issue ?? found.data.pull_request)?.number;
  return number === undefined
    ? found.data.repository.full_name
    : `${found.data.repository.full_name}#${number}`;
}
