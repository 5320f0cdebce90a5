import type { Role } from '../domain/access.ts';
import type { Config, ConfigRevision, ConfigSource, CurrentConfig } from '../domain/config/index.ts';
import type { Database } from '../store/database.ts';
import { grantsOf, isDisabled, isSameId, type Identity } from './roles-of.ts';
import { listSeen, type SeenPerson } from './sign-in/seen.ts';

/** A role somebody has, and why. */
export interface RoleOrigin {
  readonly role: Role;
  /** Name of the project; null: on the installation and every project. */
  readonly project: string | null;
  /** Name of the group it comes from; null: given to the person. */
  readonly group: string | null;
  readonly sentence: string;
}

/** A person or service account as those read it who look after people. */
export interface PersonEntry {
  readonly id: string;
  readonly name: string;
  readonly kind: 'person' | 'service';
  readonly disabled: boolean;
  /** Where the entry comes from; `sign-in`: nobody wrote one, the person was only seen. */
  readonly source: ConfigSource | 'sign-in';
  readonly roles: readonly RoleOrigin[];
  readonly via: string | null;
  readonly lastSeenAt: Date | null;
}

/** Reads who there is. */
export interface People {
  list(): Promise<readonly PersonEntry[]>;
  /** Names of projects by id. */
  projectNames(ids: readonly string[]): Promise<Readonly<Record<string, string>>>;
}

export function peopleOf(db: Database, config: CurrentConfig): People {
  return {
    list: async () => listPeople(config.current(), await listSeen(db)),
    async projectNames(ids) {
      if (ids.length === 0) return {};
      const rows = await db.sql
        .selectFrom('projects')
        .select(['id', 'name'])
        .where('id', 'in', [...ids])
        .execute();
      return Object.fromEntries(rows.map((row) => [row.id, row.name]));
    },
  };
}

/** Everybody that the configuration names or Berth has seen, by id. Pure. */
export function listPeople(revision: ConfigRevision, seen: readonly SeenPerson[]): readonly PersonEntry[] {
  const { config } = revision;
  const people = config.people.map((person): PersonEntry => {
    const last = seen.find((one) => isSameId(one.id, person.id)) ?? null;
    const source = revision.sources[`people/${person.id}`] ?? 'default';
    return entry(config, identityOf(person.id, person.name ?? last?.name ?? person.id, last), source, last);
  });
  const onlySeen = seen
    .filter((one) => !config.people.some((person) => isSameId(person.id, one.id)))
    .map((one) => entry(config, identityOf(one.id, one.name, one), 'sign-in', one));
  const services = config.serviceAccounts.map((account) => {
    const identity: Identity = {
      kind: 'service',
      id: `service:${account.name}`,
      name: account.name,
      claims: [],
    };
    return entry(config, identity, revision.sources[`serviceAccounts/${account.name}`] ?? 'default', null);
  });
  return [...people, ...onlySeen, ...services].toSorted((one, other) => (one.id < other.id ? -1 : 1));
}

function identityOf(id: string, name: string, seen: SeenPerson | null): Identity {
  return { kind: 'person', id, name, claims: seen?.claims ?? [] };
}

function entry(
  config: Config,
  identity: Identity,
  source: PersonEntry['source'],
  seen: SeenPerson | null,
): PersonEntry {
  return {
    id: identity.id,
    name: identity.name,
    kind: identity.kind,
    disabled: isDisabled(config, identity),
    source,
    roles: roleOrigins(config, identity),
    via: seen?.via ?? null,
    lastSeenAt: seen?.lastSeenAt ?? null,
  };
}

/** Each role somebody has with where it comes from; none for the disabled. Pure. */
export function roleOrigins(config: Config, identity: Identity): readonly RoleOrigin[] {
  return grantsOf(config, identity).flatMap((grant) => {
    const group = config.groups.find((one) => one === grant) ?? null;
    const why = group === null ? 'given in person' : `as a member of the group ${group.name}`;
    const origin = (role: Role, project: string | null): RoleOrigin => ({
      role,
      project,
      group: group?.name ?? null,
      sentence: `${role} ${project === null ? 'on every project' : `on ${project}`}, ${why}`,
    });
    return [
      ...(grant.role === undefined ? [] : [origin(grant.role, null)]),
      ...Object.entries(grant.projects).map(([project, role]) => origin(role, project)),
    ];
  });
}
