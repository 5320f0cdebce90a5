import type { Principal } from '../domain/access.ts';
import type { Config, CurrentConfig } from '../domain/config/index.ts';
import { BerthError } from '../domain/errors/index.ts';
import type { Database } from '../store/database.ts';
import { findProjects } from '../store/tokens/project-names.ts';
import { isDisabled, rolesOf, type Identity } from './roles-of.ts';

export type CurrentRoles = (identity: Identity) => Promise<Pick<Principal, 'globalRole' | 'projectRoles'>>;

/**
 * Roles as configuration and database have them at this moment.
 * @throws BerthError `TOKEN_OWNER_DISABLED` for whoever is shut out; `DATABASE_UNAVAILABLE`
 */
export function currentRoles(db: Database, config: CurrentConfig): CurrentRoles {
  return async (identity) => {
    const { config: now } = config.current();
    if (isDisabled(now, identity)) {
      throw new BerthError('TOKEN_OWNER_DISABLED', `${identity.name} is shut out.`);
    }
    return rolesOf(now, identity, await projectIdsOf(db, now));
  };
}

/**
 * Id of each project that somebody is granted a role on, by its name. A configured project is the one with its
 * repository. Otherwise a name counts only where one project alone has it: nobody gains rights by giving a project
 * the name of another.
 */
export async function projectIdsOf(
  db: Database,
  config: Pick<Config, 'projects' | 'people' | 'groups' | 'serviceAccounts'>,
): Promise<Readonly<Record<string, string>>> {
  const granted = new Set(
    [...config.people, ...config.groups, ...config.serviceAccounts].flatMap((one) =>
      Object.keys(one.projects),
    ),
  );
  const configured = config.projects.filter((one) => granted.has(one.name));
  const found = await findProjects(db, {
    names: [...granted],
    repositories: configured.map((one) => one.repository),
  });
  const ids: Record<string, string> = Object.create(null) as Record<string, string>;
  for (const name of granted) {
    const repository = configured.find((one) => one.name === name)?.repository;
    const exact = found.find((one) => one.repository === repository);
    const named = found.filter((one) => one.name === name);
    const id = exact?.id ?? (named.length === 1 ? named[0]?.id : undefined);
    if (id !== undefined) ids[name] = id;
  }
  return ids;
}
