import { z } from 'zod';

/** From the weakest to the strongest; each may do all the weaker ones may. */
export const roles = ['viewer', 'member', 'approver', 'maintainer', 'admin'] as const;
export const roleSchema = z.enum(roles);
export type Role = (typeof roles)[number];

/**
 * What can be permitted. A permission is asked for one project, or for the installation (`system.*`, `people.*`,
 * `audit.read`, `config.*`, `project.create`): those are granted by a global role alone.
 */
export const permissions = [
  'project.read',
  'project.create',
  'project.configure',
  'run.read',
  'task.create',
  'run.act',
  'run.terminal',
  'gate.decide',
  'proposal.decide',
  'schedule.manage',
  'campaign.manage',
  'usage.read',
  'audit.read',
  'people.read',
  'people.manage',
  'config.read',
  'config.write',
  'system.read',
  'system.operate',
] as const;
export const permissionSchema = z.enum(permissions);
export type Permission = (typeof permissions)[number];

/** `own`: only on objects the principal handed in. */
export type Reach = 'any' | 'own';

/** The weakest role that has a permission, and how far it reaches there; stronger roles reach any. */
export const permissionTable: Readonly<Record<Permission, { readonly from: Role; readonly own?: Role }>> = {
  'project.read': { from: 'viewer' },
  'run.read': { from: 'viewer' },
  'usage.read': { from: 'viewer' },
  'task.create': { from: 'member' },
  // Steer, pause, resume, cancel, retry, branch off: a member on runs of their own.
  'run.act': { from: 'approver', own: 'member' },
  'run.terminal': { from: 'maintainer', own: 'member' },
  'campaign.manage': { from: 'maintainer', own: 'member' },
  'gate.decide': { from: 'approver' },
  // Merging, closing, making ready, overriding a judge.
  'proposal.decide': { from: 'approver' },
  'schedule.manage': { from: 'maintainer' },
  'project.configure': { from: 'maintainer' },
  'project.create': { from: 'admin' },
  'audit.read': { from: 'admin' },
  'people.read': { from: 'maintainer' },
  'people.manage': { from: 'admin' },
  'config.read': { from: 'maintainer' },
  'config.write': { from: 'admin' },
  'system.read': { from: 'maintainer' },
  'system.operate': { from: 'admin' },
};

/** How somebody came in. */
export const entrances = [
  'socket',
  'link',
  'oidc',
  'cloudflare-access',
  'trusted-header',
  'token',
  'trigger',
] as const;
export type Entrance = (typeof entrances)[number];

/** What a token narrows its owner's rights to. */
export interface TokenScope {
  /** Project ids; null: all that its owner may see. */
  readonly projects: readonly string[] | null;
  /** Null: all its owner has. */
  readonly permissions: readonly Permission[] | null;
}

/** Who acts. Made anew for each request from what the database and the configuration say then. */
export interface Principal {
  /**
   * Unique and stable: a person's e-mail address or `<subject>@<issuer host>` (always with an @), `service:<name>`
   * for a service account, `trigger:<name>` for a trigger, the bare account name for whoever came over the unix socket
   * or the one-time link.
   */
  readonly id: string;
  readonly kind: 'person' | 'service' | 'local';
  /** What people read; not unique. */
  readonly name: string;
  readonly via: Entrance;
  /** Set when a token or session carries the request: both can be revoked while a stream is open. */
  readonly tokenId: string | null;
  readonly sessionId: string | null;
  /** Applies to the installation and to every project. */
  readonly globalRole: Role | null;
  /** By project id. */
  readonly projectRoles: Readonly<Record<string, Role>>;
  readonly scope: TokenScope | null;
}

/** The object of an act: the installation when `projectId` is null. */
export interface ActObject {
  readonly projectId: string | null;
  /** Principal that handed it in; null where nobody did. */
  readonly ownerId: string | null;
}

/**
 * `hidden`: not even its existence may be learnt (the answer is 404). `denied`: it may be seen, but this is not
 * permitted (403). Pure.
 */
export function decide(
  principal: Principal,
  permission: Permission,
  object: ActObject,
): 'granted' | 'denied' | 'hidden' {
  const role = roleOn(principal, object.projectId);
  if (object.projectId !== null && !sees(principal, object.projectId)) return 'hidden';
  if (role === null) return 'denied';
  const { scope } = principal;
  if (scope !== null && !inScope(scope, permission)) return 'denied';
  // A token for some projects says nothing about the installation.
  if (object.projectId === null && scope?.projects != null) return 'denied';
  const { from, own } = permissionTable[permission];
  if (atLeast(role, from)) return 'granted';
  if (own !== undefined && atLeast(role, own) && object.ownerId === principal.id) return 'granted';
  return 'denied';
}

/** Whether a project exists for this principal. */
export function sees(principal: Principal, projectId: string): boolean {
  const { scope } = principal;
  if (scope?.projects != null && !scope.projects.includes(projectId)) return false;
  return roleOn(principal, projectId) !== null;
}

/** The projects a principal may see; `all` for whoever has a global role and no narrowing token. */
export type VisibleProjects = 'all' | readonly string[];

export function visibleProjects(principal: Principal): VisibleProjects {
  const { scope, globalRole, projectRoles } = principal;
  if (globalRole !== null) return scope?.projects ?? 'all';
  return Object.keys(projectRoles).filter((id) => sees(principal, id));
}

/**
 * The projects where a principal has a permission, be it on their own objects alone: what a list that takes more than
 * seeing answers from. Pure.
 */
export function permittedProjects(principal: Principal, permission: Permission): VisibleProjects {
  const { own, from } = permissionTable[permission];
  if (principal.scope !== null && !inScope(principal.scope, permission)) return [];
  const enough = (role: Role | null): boolean => role !== null && atLeast(role, own ?? from);
  if (enough(principal.globalRole)) return visibleProjects(principal);
  return Object.keys(principal.projectRoles).filter(
    (id) => sees(principal, id) && enough(roleOn(principal, id)),
  );
}

export function isVisible(visible: VisibleProjects, projectId: string): boolean {
  return visible === 'all' || visible.includes(projectId);
}

/** The stronger of the global role and the project's own; null: a stranger. */
export function roleOn(principal: Principal, projectId: string | null): Role | null {
  const own = projectId === null ? null : roleOf(principal.projectRoles, projectId);
  return stronger(principal.globalRole, own);
}

export function atLeast(role: Role, wanted: Role): boolean {
  return roles.indexOf(role) >= roles.indexOf(wanted);
}

export function stronger(one: Role | null, other: Role | null): Role | null {
  if (one === null || other === null) return one ?? other;
  return atLeast(one, other) ? one : other;
}

/** Own keys alone: an id from outside must not find what every object inherits. */
function roleOf(projectRoles: Principal['projectRoles'], projectId: string): Role | null {
  return Object.hasOwn(projectRoles, projectId) ? (projectRoles[projectId] ?? null) : null;
}

/** Seeing what an act is about is part of every permission. */
function inScope(scope: TokenScope, permission: Permission): boolean {
  return scope.permissions === null || scope.permissions.includes(permission);
}

/** A trigger while it is there: it hands tasks in to its own project, and nothing else. */
export function triggerPrincipal(name: string, projectId: string): Principal {
  return {
    id: `trigger:${name}`,
    kind: 'service',
    name: `trigger:${name}`,
    via: 'trigger',
    tokenId: null,
    sessionId: null,
    globalRole: null,
    projectRoles: { [projectId]: 'member' },
    scope: { projects: [projectId], permissions: ['task.create'] },
  };
}

/** Whoever owns the account this server runs as: may do everything, as they could with the files anyway. */
export function localPrincipal(account: string, via: 'socket' | 'link' = 'socket'): Principal {
  return {
    id: account.replaceAll('@', '_'),
    kind: 'local',
    name: account,
    via,
    tokenId: null,
    sessionId: null,
    globalRole: 'admin',
    projectRoles: {},
    scope: null,
  };
}
