import { localPrincipal, type Principal } from '../domain/access.ts';
import type { CurrentConfig } from '../domain/config/index.ts';
import { BerthError } from '../domain/errors/index.ts';
import type { Database } from '../store/database.ts';
import { currentRoles } from './current-roles.ts';
import { readSeen } from './sign-in/seen.ts';

/** What a principal may do at this moment, asked by its id alone. */
export type PrincipalNow = (id: string) => Promise<Principal>;

/**
 * For what goes on in somebody's name long after they asked for it: their roles of now, with the group claims of their
 * last sign-in.
 * @returns a function that throws BerthError `TOKEN_OWNER_DISABLED` for whoever is shut out or gone, `DATABASE_UNAVAILABLE`
 */
export function principalNow(db: Database, config: CurrentConfig): PrincipalNow {
  const roles = currentRoles(db, config);
  return async (id) => {
    // Triggers and schedules hand in by themselves; nothing goes on in their name.
    if (id.startsWith('trigger:') || id.startsWith('schedule:')) {
      throw new BerthError('TOKEN_OWNER_DISABLED', `${id} is nobody who asks for that.`);
    }
    const kind = id.startsWith('service:') ? 'service' : id.includes('@') ? 'person' : 'local';
    // Who came over the socket has all rights; which account that was says nothing on another replica.
    if (kind === 'local') return { ...localPrincipal(id), via: 'trigger' };
    const claims = kind === 'person' ? ((await readSeen(db, id))?.claims ?? []) : [];
    return {
      id,
      kind,
      name: id,
      via: 'trigger',
      tokenId: null,
      sessionId: null,
      ...(await roles({ kind, id, name: id, claims })),
      scope: null,
    };
  };
}
