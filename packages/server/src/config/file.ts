import { open } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { maxConfigBytes } from './parse/index.ts';

export interface ConfigPlace {
  readonly path: string;
  /** Named by `BERTH_CONFIG`: then it has to be there. */
  readonly isExplicit: boolean;
}

/** Where the configuration file lies: `BERTH_CONFIG`, else `berth.yaml` in the home directory, if there is one. */
export function configPlace(env: Readonly<Record<string, string | undefined>>, home: string): ConfigPlace {
  const named = env['BERTH_CONFIG'];
  if (named !== undefined && named !== '') return { path: resolve(named), isExplicit: true };
  return { path: join(resolve(home), 'berth.yaml'), isExplicit: false };
}

export type FileText =
  | { readonly kind: 'absent' }
  | { readonly kind: 'unreadable'; readonly sentence: string }
  | { readonly kind: 'text'; readonly text: string };

/** The text of a configuration file, at most one byte more than is allowed: the reader says that it is too long. */
export async function readConfigText(path: string): Promise<FileText> {
  try {
    const file = await open(path, 'r');
    try {
      if (!(await file.stat()).isFile()) return { kind: 'unreadable', sentence: `${path} is not a file.` };
      const buffer = Buffer.alloc(maxConfigBytes + 1);
      let length = 0;
      for (;;) {
        const { bytesRead } = await file.read(buffer, length, buffer.length - length, length);
        length += bytesRead;
        if (bytesRead === 0 || length === buffer.length) break;
      }
      return { kind: 'text', text: decode(buffer.subarray(0, length)) };
    } finally {
      await file.close();
    }
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return { kind: 'absent' };
    const why = error instanceof Error ? error.message : String(error);
    return { kind: 'unreadable', sentence: `${path} cannot be read: ${why}` };
  }
}

/** A lone surrogate for bytes that are no UTF-8, so that the reader refuses them with its own words. */
function decode(bytes: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return '\uD800';
  }
}
