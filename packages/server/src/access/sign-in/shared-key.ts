import type { Database } from '../../store/database.ts';
import { newSecret } from './secret.ts';

/** A random key that all replicas share, made by whoever asks first. Read once; a failure is not remembered. */
export function sharedKey(db: Database, name: string): () => Promise<string> {
  let known: Promise<string> | null = null;
  const read = async (): Promise<string> => {
    await db.sql
      .insertInto('access_keys')
      .values({ name, value: newSecret() })
      .onConflict((conflict) => conflict.column('name').doNothing())
      .execute();
    const row = await db.sql
      .selectFrom('access_keys')
      .select('value')
      .where('name', '=', name)
      .executeTakeFirstOrThrow();
    return row.value;
  };
  return () => {
    known ??= read().catch((error: unknown) => {
      known = null;
      throw error;
    });
    return known;
  };
}
