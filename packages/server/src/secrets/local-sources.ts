import { BerthError } from '../domain/errors/index.ts';
import type { SecretSource } from '../domain/ports/secret-source.ts';
import { readBoundedFile, unreadable } from './bounded-file.ts';

/** Variables of this process's environment; it changes only with a restart. */
export function environmentSource(environment: Readonly<Record<string, string | undefined>>): SecretSource {
  return {
    kind: 'env',
    async read(name, signal) {
      signal.throwIfAborted();
      const value = environment[name];
      if (value === undefined || value === '') {
        throw new BerthError('SECRET_MISSING', `The environment variable ${name} is not set.`);
      }
      return value;
    },
  };
}

/** Files by their absolute path: a file's text without the newline at its end. */
export function fileSource(): SecretSource {
  return {
    kind: 'file',
    async read(path, signal) {
      signal.throwIfAborted();
      const value = await readBoundedFile(path).catch((error: unknown) => {
        throw unreadable(path, error);
      });
      if (value === '') throw new BerthError('SECRET_MISSING', `The file ${path} is empty.`);
      return value;
    },
  };
}
