import { createPrivateKey, generateKeyPairSync, type KeyObject, randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { link, mkdir, open, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { BerthError } from '../domain/errors/index.ts';

/**
 * The installation's internal key, which tells its own processes from all others. It lies in a file outside the
 * database: whoever can read the database must not be able to speak to the workers.
 * @param make whether a missing file is made; false where its path was given (`BERTH_INTERNAL_KEY`)
 * @throws BerthError `INTERNAL_KEY_UNSAFE`
 */
export async function readInternalKey(path: string, make: boolean): Promise<KeyObject> {
  if (make) await makeOnce(path);
  const file = await open(path, constants.O_RDONLY).catch((error: unknown) => {
    throw new BerthError('INTERNAL_KEY_UNSAFE', `The internal key ${path} cannot be read.`, { cause: error });
  });
  try {
    const stat = await file.stat();
    // A mounted Secret belongs to root and is readable by the group of the process: others must not read it.
    if (!stat.isFile() || (stat.mode & (make ? 0o077 : 0o007)) !== 0) {
      throw new BerthError('INTERNAL_KEY_UNSAFE', `The internal key ${path} can be read by others.`);
    }
    return parsed(await file.readFile('utf8'), path);
  } finally {
    await file.close();
  }
}

function parsed(text: string, path: string): KeyObject {
  try {
    const key = createPrivateKey(text);
    if (key.asymmetricKeyType === 'ed25519') return key;
  } catch {
    // Said below, without the parser's words: they may quote the key.
  }
  throw new BerthError('INTERNAL_KEY_UNSAFE', `${path} holds no Ed25519 private key.`);
}

/** Whole or not at all, also when two processes start at once. */
async function makeOnce(path: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const own = `${path}.${randomBytes(6).toString('hex')}`;
  const file = await open(own, 'wx', 0o600);
  try {
    const { privateKey } = generateKeyPairSync('ed25519');
    await file.writeFile(privateKey.export({ type: 'pkcs8', format: 'pem' }));
  } finally {
    await file.close();
  }
  await link(own, path).catch((error: unknown) => {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
  });
  await rm(own, { force: true });
}
