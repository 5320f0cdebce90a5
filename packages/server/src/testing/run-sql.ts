import { Client } from 'pg';
import { databaseUser } from '../store/embedded/initialise.ts';

/** One statement on a connection of its own. */
export async function runSql(sockets: string, text: string, database = 'postgres'): Promise<void> {
  const client = new Client({ host: sockets, user: databaseUser, database });
  await client.connect();
  try {
    await client.query(text);
  } finally {
    await client.end();
  }
}
