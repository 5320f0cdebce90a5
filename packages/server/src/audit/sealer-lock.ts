import { Client } from 'pg';
import { clientConfig, type Address } from '../store/connect.ts';

/** Any number: it only has to be the same in every Berth. */
const sealerLock = 7_266_006;

/** The one right to seal, over all replicas. It ends with its connection, so no crash can keep it. */
export interface SealerLock {
  /** Whether it is still held: asked of the database, so that a broken connection is noticed. */
  isHeld(): Promise<boolean>;
  release(): Promise<void>;
}

/** Null while another replica has it. */
export async function takeSealerLock(address: Address): Promise<SealerLock | null> {
  const client = new Client(clientConfig(address));
  let isBroken = false;
  client.on('error', () => {
    isBroken = true;
  });
  client.on('end', () => {
    isBroken = true;
  });
  const end = (): Promise<void> => client.end().catch(() => undefined);
  try {
    await client.connect();
    const { rows } = await client.query<{ mine: boolean }>('select pg_try_advisory_lock($1) as mine', [
      sealerLock,
    ]);
    if (rows[0]?.mine !== true) {
      await end();
      return null;
    }
  } catch (error) {
    await end();
    throw error;
  }
  return {
    async isHeld() {
      if (isBroken) return false;
      return client.query('select 1').then(
        () => !isBroken,
        () => false,
      );
    },
    release: end,
  };
}
