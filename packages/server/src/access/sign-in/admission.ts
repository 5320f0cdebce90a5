import type { Entrance, Principal } from '../../domain/access.ts';
import type { CurrentConfig } from '../../domain/config/index.ts';
import { BerthError } from '../../domain/errors/index.ts';
import type { Database } from '../../store/database.ts';
import { projectIdsOf } from '../current-roles.ts';
import { grantsOf, isDisabled, isSameId, rolesOf, type Identity } from '../roles-of.ts';

/**
 * Whoever was identified, with the roles of this moment.
 * @throws BerthError `PERSON_DISABLED`; `NOT_ADMITTED` for somebody without any grant where only the known may enter
 */
export async function admit(
  db: Database,
  current: CurrentConfig,
  identity: Identity,
  how: { readonly via: Entrance; readonly sessionId?: string; readonly admitUnknown: boolean },
): Promise<Principal> {
  const { config } = current.current();
  if (isDisabled(config, identity)) throw new BerthError('PERSON_DISABLED');
  const grants = grantsOf(config, identity);
  const isKnown = config.people.some((person) => isSameId(person.id, identity.id));
  if (!how.admitUnknown && !isKnown && grants.length === 0) throw new BerthError('NOT_ADMITTED');
  const roles = rolesOf(config, identity, await projectIdsOf(db, config));
  return {
    id: identity.id,
    kind: identity.kind,
    name: identity.name,
    via: how.via,
    tokenId: null,
    sessionId: how.sessionId ?? null,
    ...roles,
    scope: null,
  };
}
