import { sql } from 'kysely';
import type { Database } from '../../store/database.ts';
import { hashSecret, newSecret } from './secret.ts';

/** How long a link holds. */
export const linkLifeMs = 10 * 60_000;
/** Links that can be open at once for one account; older ones give way. */
const mostOpen = 20;

/** Makes the code of a one-time link for an account of this machine. Only its hash is kept. */
export async function createLinkCode(
  db: Database,
  account: string,
): Promise<{ readonly code: string; readonly expiresAt: Date }> {
  const code = newSecret();
  const { rows } = await sql<{ expiresAt: Date }>`
    with older as (
      delete from sign_in_links where code_hash in (
        select code_hash from sign_in_links where account = ${account}
        order by created_at desc offset ${mostOpen - 1}
      )
    )
    insert into sign_in_links (code_hash, account) values (${hashSecret(code)}, ${account})
    returning created_at + make_interval(secs => ${linkLifeMs / 1_000}::float8) as "expiresAt"`.execute(
    db.sql,
  );
  return { code, expiresAt: rows[0]!.expiresAt };
}

/** The account a code stands for; null when it is not valid (any more). One of several simultaneous uses wins. */
export async function useLinkCode(db: Database, code: string): Promise<string | null> {
  const { rows } = await sql<{ account: string; isInTime: boolean }>`
    delete from sign_in_links where code_hash = ${hashSecret(code)}
    returning account, created_at > now() - make_interval(secs => ${linkLifeMs / 1_000}::float8) as "isInTime"`.execute(
    db.sql,
  );
  return rows[0]?.isInTime === true ? rows[0].account : null;
}
