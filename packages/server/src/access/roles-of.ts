import { stronger, type Principal, type Role } from '../domain/access.ts';
import type { Config } from '../domain/config/index.ts';

/** Somebody as sign-in or a token's row names them. */
export interface Identity {
  readonly kind: 'person' | 'service';
  /** As in `Principal.id`. */
  readonly id: string;
  readonly name: string;
  /** Values of the group claim at the last sign-in. */
  readonly claims: readonly string[];
}

/** Whether the configuration shuts somebody out. Pure. */
export function isDisabled(config: Config, identity: Identity): boolean {
  return identity.kind === 'service'
    ? config.serviceAccounts.find((one) => `service:${one.name}` === identity.id)?.disabled !== false
    : config.people.some((one) => isSameId(one.id, identity.id) && one.disabled);
}

/**
 * The roles that the configuration gives somebody now: their own and those of their groups, the strongest of each.
 * Asked anew for each request, so that what is revoked is gone at once. Pure.
 * @param projectIds id of each project by its name; grants on names that are not there count for nothing
 */
export function rolesOf(
  config: Config,
  identity: Identity,
  projectIds: Readonly<Record<string, string>>,
): Pick<Principal, 'globalRole' | 'projectRoles'> {
  let globalRole: Role | null = null;
  const projectRoles: Record<string, Role> = Object.create(null) as Record<string, Role>;
  for (const grant of grantsOf(config, identity)) {
    globalRole = stronger(globalRole, grant.role ?? null);
    for (const [project, role] of Object.entries(grant.projects)) {
      const id = Object.hasOwn(projectIds, project) ? projectIds[project] : undefined;
      if (id !== undefined) projectRoles[id] = stronger(projectRoles[id] ?? null, role) ?? role;
    }
  }
  return { globalRole, projectRoles };
}

/** Roles that one entry of the configuration gives, as it writes them. */
export interface Grant {
  readonly role?: Role | undefined;
  readonly projects: Readonly<Record<string, Role>>;
}

/** The entries of the configuration that give somebody roles. Pure. */
export function grantsOf(config: Config, identity: Identity): readonly Grant[] {
  if (isDisabled(config, identity)) return [];
  if (identity.kind === 'service') {
    return config.serviceAccounts.filter((one) => `service:${one.name}` === identity.id);
  }
  const groups = config.groups.filter(
    (group) =>
      group.members.some((member) => isSameId(member, identity.id)) ||
      group.claims.some((claim) => identity.claims.includes(claim)),
  );
  return [...config.people.filter((one) => isSameId(one.id, identity.id)), ...groups];
}

/** E-mail addresses are written in any case; sign-in answers them in lower case. */
export function isSameId(one: string, other: string): boolean {
  return one.toLowerCase() === other.toLowerCase();
}
