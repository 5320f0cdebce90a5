import { open } from 'node:fs/promises';
import { isAbsolute } from 'node:path';
import { z } from 'zod';
import { BerthError } from '../domain/errors/index.ts';

/** Where a secret is; configuration holds references, never values. */
export const secretReferenceSchema = z.union([
  z.strictObject({ env: z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/) }),
  z.strictObject({ file: z.string().min(1).refine(isAbsolute, 'an absolute path') }),
]);
export type SecretReference = z.infer<typeof secretReferenceSchema>;

/** Longest secret that is read from a file; keys and certificates are far below it. */
const longestSecretBytes = 64 * 1024;

/**
 * The value behind a reference: an environment variable, or a file's text without the newline at its end.
 * @throws BerthError `SECRET_MISSING`
 */
export async function resolveSecret(
  reference: SecretReference,
  environment: Readonly<Record<string, string | undefined>> = process.env,
): Promise<string> {
  if ('env' in reference) {
    const value = environment[reference.env];
    if (value === undefined || value === '') {
      throw new BerthError('SECRET_MISSING', `The environment variable ${reference.env} is not set.`);
    }
    return value;
  }
  const value = (await readBounded(reference.file)).replace(/\r?\n$/, '');
  if (value === '') throw new BerthError('SECRET_MISSING', `The file ${reference.file} is empty.`);
  return value;
}

async function readBounded(path: string): Promise<string> {
  try {
    const file = await open(path, 'r');
    try {
      if (!(await file.stat()).isFile()) throw new Error('it is not a file');
      const { buffer, bytesRead } = await file.read(
        Buffer.alloc(longestSecretBytes + 1),
        0,
        longestSecretBytes + 1,
        0,
      );
      if (bytesRead > longestSecretBytes) throw new Error(`it is longer than ${longestSecretBytes} bytes`);
      return buffer.subarray(0, bytesRead).toString('utf8');
    } finally {
      await file.close();
    }
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new BerthError('SECRET_MISSING', `The file ${path} of a secret cannot be read: ${why}`, {
      cause: error,
    });
  }
}
