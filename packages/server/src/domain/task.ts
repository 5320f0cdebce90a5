import { z } from 'zod';
import { runLimitsSchema } from './limits.ts';

/** Longest task text, in characters. A task is a request, not an archive; more belongs into the repository. */
export const maxTaskCharacters = 100_000;

export const originSchema = z.object({
  kind: z.enum(['web', 'api', 'cli', 'slack', 'forge', 'jira', 'linear', 'schedule', 'webhook']),
  by: z.string(),
  url: z.string().nullable(),
});
export type Origin = z.infer<typeof originSchema>;

/** A repository as given: a URL git understands, or an absolute path. */
export const projectSchema = z.object({
  id: z.string(),
  name: z.string(),
  repository: z.string(),
});
export type Project = z.infer<typeof projectSchema>;

/** What the creator of a task chose; everything else comes from the project and the defaults. */
export const runOptionsSchema = z.strictObject({
  base: z.string().nullable().default(null),
  model: z.string().nullable().default(null),
  /** Text of a blueprint file given by the caller. */
  blueprint: z
    .object({ path: z.string(), text: z.string().max(262_144) })
    .nullable()
    .default(null),
  limits: runLimitsSchema.partial().default({}),
  propose: z.boolean().default(true),
  /** Absolute paths on the host of the worker; only a local caller may set them. */
  cassette: z.string().nullable().default(null),
  record: z.string().nullable().default(null),
});
export type RunOptions = z.infer<typeof runOptionsSchema>;

export interface Task {
  readonly id: string;
  readonly projectId: string;
  readonly title: string;
  readonly text: string;
  readonly origin: Origin;
  /** The one branch of the task: `berth/<slug>-<short id>`. */
  readonly branch: string;
  /** Principal id that rights on "own" objects are decided by. */
  readonly owner: string;
  readonly createdAt: string;
}

/** First line of the text, cut to 72 characters: a title for lists, commits and pull requests. */
export function titleOf(text: string): string {
  const line =
    text
      .split('\n')
      .map((part) => part.trim())
      .find((part) => part !== '') ?? 'Untitled task';
  const characters = Array.from(line);
  return characters.length <= 72 ? line : `${characters.slice(0, 71).join('').trimEnd()}…`;
}

/** Branch of a task: readable and unique. */
export function branchOf(title: string, taskId: string): string {
  const slug = title
    .normalize('NFKD')
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .replaceAll(/^-+|-+$/g, '')
    .slice(0, 40)
    .replace(/-+$/, '');
  return `berth/${slug === '' ? 'task' : slug}-${taskId.slice(-6)}`;
}
