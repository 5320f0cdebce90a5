import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
} from 'node:crypto';
import { constants } from 'node:fs';
import { link, mkdir, open, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { BerthError } from '../domain/errors/index.ts';

/** What seals are signed with. The private half never enters the database. */
export interface SigningKey {
  /** Hexadecimal SHA-256 of the public key's DER. */
  readonly id: string;
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
}

export function keyIdOf(publicKey: KeyObject): string {
  return createHash('sha256')
    .update(publicKey.export({ type: 'spki', format: 'der' }))
    .digest('hex');
}

/** @throws BerthError `AUDIT_KEY_UNUSABLE` unless it is an Ed25519 private key as PEM */
export function signingKeyOf(pem: string, where: string): SigningKey {
  let privateKey: KeyObject;
  try {
    privateKey = createPrivateKey(pem);
  } catch (error) {
    throw unusable(`${where} holds no private key in PEM.`, error);
  }
  if (privateKey.asymmetricKeyType !== 'ed25519')
    throw unusable(`The key of ${where} is not an Ed25519 key.`);
  const publicKey = createPublicKey(privateKey);
  return { id: keyIdOf(publicKey), privateKey, publicKey };
}

/**
 * The key of a data directory, `keys/audit.key` (mode 0600); made when there is none, with its public half beside it.
 * @throws BerthError `AUDIT_KEY_UNUSABLE` when others can read it or it is not a key
 */
export async function readOrMakeKey(home: string): Promise<SigningKey> {
  const directory = join(home, 'keys');
  const path = join(directory, 'audit.key');
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const pem = (await readOwn(path)) ?? (await makeKey(path));
  const key = signingKeyOf(pem, path);
  const publicPem = key.publicKey.export({ type: 'spki', format: 'pem' });
  await writeFile(join(directory, 'audit.pub'), publicPem, { mode: 0o644 });
  return key;
}

/** Public keys of earlier times: `keys/audit-retired/*.pem` of the data directory. */
export async function retiredKeys(home: string): Promise<readonly KeyObject[]> {
  const directory = join(home, 'keys', 'audit-retired');
  const names = await readdir(directory).catch(() => []);
  const keys: KeyObject[] = [];
  for (const name of names.filter((one) => one.endsWith('.pem')).toSorted()) {
    const path = join(directory, name);
    try {
      keys.push(createPublicKey(await readFile(path, 'utf8')));
    } catch (error) {
      throw unusable(`${path} holds no public key in PEM.`, error);
    }
  }
  return keys;
}

/** Whole or not at all, and never in place of a key that somebody else made meanwhile. */
async function makeKey(path: string): Promise<string> {
  const { privateKey } = generateKeyPairSync('ed25519');
  const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  // Random: two servers that are both process 1, in containers of their own, may share the data directory.
  const own = `${path}.${randomBytes(6).toString('hex')}`;
  const file = await open(own, 'wx', 0o600);
  try {
    await file.writeFile(pem);
    await file.sync();
  } finally {
    await file.close();
  }
  try {
    await link(own, path);
    return pem;
  } catch (error) {
    if (!hasCode(error, 'EEXIST')) throw error;
    return (await readOwn(path)) ?? pem;
  } finally {
    await rm(own, { force: true });
  }
}

async function readOwn(path: string): Promise<string | null> {
  try {
    const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW);
    try {
      const stat = await file.stat();
      if (!stat.isFile() || (stat.mode & 0o077) !== 0 || stat.uid !== process.getuid?.()) {
        throw unusable(`The signing key ${path} can be read by others, or belongs to somebody else.`);
      }
      return await file.readFile('utf8');
    } finally {
      await file.close();
    }
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return null;
    if (hasCode(error, 'ELOOP')) throw unusable(`The signing key ${path} is a symbolic link.`, error);
    throw error;
  }
}

function unusable(sentence: string, cause?: unknown): BerthError {
  return new BerthError('AUDIT_KEY_UNUSABLE', sentence, { cause });
}

function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}
