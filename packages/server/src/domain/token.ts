import { z } from 'zod';
import {
  atLeast,
  permissions,
  permissionSchema,
  permissionTable,
  type Permission,
  type Principal,
  type Role,
  roleOn,
} from './access.ts';

/** A token lives this long unless asked otherwise, and at most so long. */
export const defaultTokenDays = 30;
export const maxTokenDays = 366;

/** A token as its owner and admins see it: everything but the secret. */
export const tokenViewSchema = z
  .object({
    schema: z.literal('berth.token/v1'),
    id: z.string(),
    owner: z.string().describe('Principal id; `service:<name>` for a service account.'),
    ownerName: z.string(),
    purpose: z.string(),
    projects: z
      .array(z.object({ id: z.string(), name: z.string().nullable() }))
      .nullable()
      .describe('Null: every project its owner may see.'),
    permissions: z.array(permissionSchema).nullable().describe('Null: all that its owner has.'),
    state: z.enum(['active', 'expired', 'revoked']),
    createdAt: z.string(),
    createdBy: z.string(),
    expiresAt: z.string(),
    revokedAt: z.string().nullable(),
    revokedBy: z.string().nullable(),
    lastUsed: z
      .object({ at: z.string(), route: z.string(), address: z.string().nullable() })
      .nullable()
      .describe('Written at most once a minute.'),
  })
  .meta({ id: 'Token' });
export type TokenView = z.infer<typeof tokenViewSchema>;

/** What a permission lets somebody do, in words for people. */
const words: Readonly<Record<Permission, string>> = {
  'project.read': 'see projects',
  'project.create': 'make projects',
  'project.configure': 'change the settings of projects',
  'run.read': 'read tasks, runs and proposals',
  'task.create': 'hand in tasks',
  'run.act': 'steer, pause, resume and cancel runs',
  'run.terminal': 'open terminals in sandboxes',
  'gate.decide': 'decide at gates',
  'proposal.decide': 'merge and close proposals',
  'schedule.manage': 'manage schedules',
  'campaign.manage': 'manage campaigns',
  'usage.read': 'read usage and cost',
  'audit.read': 'read the record of acts',
  'people.read': 'see people and groups',
  'people.manage': 'manage people, groups and their tokens',
  'config.read': 'read the configuration',
  'config.write': 'change the configuration',
  'system.read': 'look at the state of the server',
  'system.operate': 'operate the server',
};

/**
 * What a token can do now, in sentences: its scope cut by the rights its owner has at this moment. Pure.
 * @param owner with its roles as they are now and without a scope
 * @param projects the token's projects by id with their names; null: all of the owner's
 */
export function previewOf(
  owner: Pick<Principal, 'globalRole' | 'projectRoles'>,
  projects: readonly { readonly id: string; readonly name: string | null }[] | null,
  wanted: readonly Permission[] | null,
): string[] {
  const lines: string[] = [];
  const asked = wanted ?? permissions;
  if (projects === null) {
    if (owner.globalRole !== null)
      lines.push(sentence('In every project and the installation', owner.globalRole, asked));
    const own = Object.keys(owner.projectRoles).length;
    if (own > 0)
      lines.push(
        `In ${own === 1 ? 'one project' : `${own} projects`} it has a role of its own: there it can do what that role may, of the permissions it was given.`,
      );
    if (lines.length === 0) lines.push('Nothing yet: its owner has no role.');
    return lines;
  }
  for (const project of projects) {
    const role = roleOn({ ...owner } as Principal, project.id);
    lines.push(
      role === null
        ? `In ${project.name ?? project.id}: nothing, its owner has no role there.`
        : sentence(`In ${project.name ?? project.id}`, role, asked),
    );
  }
  lines.push('On the installation and in other projects: nothing.');
  return lines;
}

function sentence(where: string, role: Role, asked: readonly Permission[]): string {
  const all: string[] = [];
  const own: string[] = [];
  for (const permission of asked) {
    const { from, own: ownFrom } = permissionTable[permission];
    if (atLeast(role, from)) all.push(words[permission]);
    else if (ownFrom !== undefined && atLeast(role, ownFrom)) own.push(words[permission]);
  }
  if (all.length === 0 && own.length === 0)
    return `${where}: nothing of what it was given; its owner is ${role}.`;
  const parts = [...all, ...own.map((one) => `${one} (on its owner's own tasks)`)];
  return `${where} (as ${role}): ${parts.join(', ')}.`;
}
