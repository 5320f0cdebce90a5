import { createHash } from 'node:crypto';
import type { ToolContext } from './tool.ts';

/** Larger files are no text an agent edits; `bash` works on them. */
export const maxEditBytes = 4 * 1024 * 1024;

export type FileText =
  | { readonly kind: 'missing' }
  | { readonly kind: 'refused'; readonly reason: string }
  | { readonly kind: 'text'; readonly text: string; readonly sha256: string; readonly mode: number };

/** Absolute paths stay; others start at the repository, whatever the shell's directory is. */
export function resolvePath(context: Pick<ToolContext, 'repositoryPath'>, path: string): string {
  return path.startsWith('/')
    ? path
    : path === '.'
      ? context.repositoryPath
      : `${context.repositoryPath}/${path}`;
}

/** A whole file that may be changed as text: UTF-8 without NUL, of bounded size, no symbolic link. */
export async function readForChange(path: string, context: ToolContext): Promise<FileText> {
  const absolute = resolvePath(context, path);
  const stat = await context.sandbox.stat(absolute);
  if (stat === null) return { kind: 'missing' };
  if (stat.kind === 'directory') return { kind: 'refused', reason: `${path} is a directory.` };
  if (stat.kind === 'symlink') {
    return { kind: 'refused', reason: `${path} is a symbolic link. Change the file it points to.` };
  }
  if (stat.kind === 'other') return { kind: 'refused', reason: `${path} is no regular file.` };
  if (stat.bytes > maxEditBytes) {
    return {
      kind: 'refused',
      reason: `${path} has ${stat.bytes} bytes; files over ${maxEditBytes} can only be changed with bash.`,
    };
  }
  const bytes = await context.sandbox.read(absolute, { signal: context.signal });
  if (bytes.includes(0))
    return { kind: 'refused', reason: `${path} is binary; it can only be changed with bash.` };
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return {
      kind: 'refused',
      reason: `${path} is not UTF-8; a change as text would damage it. Use bash (iconv, sed, python).`,
    };
  }
  return { kind: 'text', text, sha256: sha256(bytes), mode: stat.mode & 0o7777 };
}

export function sha256(data: Uint8Array): string {
  return createHash('sha256').update(data).digest('hex');
}
