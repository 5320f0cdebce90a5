import { join } from 'node:path';
import { BerthError } from '../../domain/errors/index.ts';
import type { Sandbox } from '../../domain/ports/sandbox.ts';
import { trustFiles, type EgressAuthority } from '../../egress/index.ts';
import { authorityFiles } from '../local/etc-files.ts';
import { podTrust } from './programs.ts';

/** Longer files of authorities are not an image's own. */
const longestBundleBytes = 4 * 1024 * 1024;

/**
 * Makes programs inside trust the sandbox's authority, beside those that the image trusts. Before any code of a
 * repository is there; whoever changes these files later deceives only himself.
 */
export async function deliverTrust(
  sandbox: Sandbox,
  authority: EgressAuthority,
  signal: AbortSignal,
): Promise<void> {
  for (const [name, bytes] of trustFiles(await imageAuthorities(sandbox, signal), authority))
    await sandbox.write(join(podTrust, name), bytes, { signal });
}

async function imageAuthorities(sandbox: Sandbox, signal: AbortSignal): Promise<string | null> {
  for (const path of authorityFiles) {
    try {
      const pem = Buffer.from(await sandbox.read(path, { length: longestBundleBytes, signal })).toString(
        'utf8',
      );
      if (pem.includes('-----BEGIN CERTIFICATE-----')) return pem;
    } catch (error) {
      signal.throwIfAborted();
      const isMissing =
        error instanceof BerthError && ['FILE_NOT_FOUND', 'FILE_REFUSED'].includes(error.code);
      if (!isMissing) throw error;
    }
  }
  return null;
}
