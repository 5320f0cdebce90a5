import { z } from 'zod';

/** The parts of GitHub's answers that are looked at. Everything in them is text from outside. */

export const accountSchema = z.looseObject({ login: z.string(), type: z.string().optional() });
export type ShapeOfAccount = z.infer<typeof accountSchema>;

/** Accounts that are gone are null. */
const author = accountSchema.nullable();

export const pullRequestSchema = z.looseObject({
  number: z.int().positive(),
  node_id: z.string(),
  html_url: z.string(),
  title: z.string(),
  body: z.string().nullable(),
  state: z.enum(['open', 'closed']),
  draft: z.boolean().optional(),
  merged_at: z.string().nullable(),
  merge_commit_sha: z.string().nullable().optional(),
  created_at: z.string(),
  head: z.looseObject({
    ref: z.string(),
    sha: z.string(),
    repo: z.looseObject({ id: z.number(), full_name: z.string() }).nullable(),
  }),
  base: z.looseObject({ ref: z.string(), repo: z.looseObject({ id: z.number(), full_name: z.string() }) }),
  labels: z.array(z.looseObject({ name: z.string() })).default([]),
  requested_reviewers: z.array(accountSchema).nullish(),
  requested_teams: z.array(z.looseObject({ slug: z.string() })).nullish(),
  /** Only of one that is asked for by its number; null while GitHub works it out. */
  mergeable: z.boolean().nullable().optional(),
  mergeable_state: z.string().optional(),
});
export type ShapeOfPullRequest = z.infer<typeof pullRequestSchema>;

export const issueSchema = z.looseObject({
  number: z.int().positive(),
  html_url: z.string(),
  title: z.string(),
  body: z.string().nullish(),
  user: author,
  state: z.string(),
  labels: z.array(z.union([z.string(), z.looseObject({ name: z.string().nullish() })])),
  created_at: z.string(),
  pull_request: z.unknown().optional(),
});

export const commentSchema = z.looseObject({
  id: z.int(),
  html_url: z.string(),
  body: z.string().nullish(),
  user: author,
  created_at: z.string(),
  performed_via_github_app: z.unknown().optional(),
});
export type ShapeOfComment = z.infer<typeof commentSchema>;

export const reviewCommentSchema = commentSchema.extend({
  path: z.string(),
  line: z.int().nullish(),
  side: z.enum(['LEFT', 'RIGHT']).nullish(),
  in_reply_to_id: z.int().nullish(),
});
export type ShapeOfReviewComment = z.infer<typeof reviewCommentSchema>;

export const reviewSchema = z.looseObject({
  id: z.int(),
  html_url: z.string(),
  body: z.string().nullish(),
  user: author,
  state: z.string(),
  submitted_at: z.string().nullish(),
});

export const installationSchema = z.looseObject({
  id: z.int(),
  permissions: z.record(z.string(), z.string()),
});

export const mintedSchema = z.looseObject({ token: z.string().min(1), expires_at: z.string() });

export const appSchema = z.looseObject({ slug: z.string(), name: z.string().nullish() });

export const repositorySchema = z.looseObject({
  full_name: z.string(),
  permissions: z.record(z.string(), z.boolean()).optional(),
});

export const permissionSchema = z.looseObject({ permission: z.string(), role_name: z.string().optional() });

export const checkRunsSchema = z.looseObject({
  check_runs: z.array(
    z.looseObject({
      id: z.int(),
      name: z.string(),
      status: z.string(),
      conclusion: z.string().nullable(),
      html_url: z.string().nullish(),
      app: z.looseObject({ slug: z.string().optional() }).nullish(),
    }),
  ),
});

export const statusesSchema = z.looseObject({
  statuses: z.array(
    z.looseObject({ context: z.string(), state: z.string(), target_url: z.string().nullish() }),
  ),
});

export const branchSchema = z.looseObject({ name: z.string() });

export const graphqlSchema = z.looseObject({
  data: z.unknown().optional(),
  errors: z.array(z.looseObject({ message: z.string(), type: z.string().optional() })).optional(),
});
