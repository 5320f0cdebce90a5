import { isAbsolute, join, normalize } from 'node:path';

/** The workspace's name inside every sandbox. */
export const workspaceName = '/workspace';

/**
 * Where a path of a request lies: absolute, or relative to the workspace. The workspace itself may lie elsewhere when
 * the runner works without a file system of its own.
 */
export function resolvePath(path: string, workspace: string): string {
  if (!isAbsolute(path)) return join(workspace, path);
  const plain = normalize(path);
  if (plain === workspaceName || plain === `${workspaceName}/`) return workspace;
  return plain.startsWith(`${workspaceName}/`)
    ? join(workspace, plain.slice(workspaceName.length + 1))
    : path;
}
