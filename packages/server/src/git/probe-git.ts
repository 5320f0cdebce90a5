import { gitText } from './git-process.ts';

/** `merge-tree --write-tree`, which the local forge merges with, came with git 2.38. */
const oldest = [2, 38] as const;

/**
 * Which git this machine has.
 *
 * @throws BerthError `GIT_MISSING`
 */
export async function probeGit(
  signal: AbortSignal,
): Promise<{ readonly version: string; readonly supported: boolean }> {
  const version = (await gitText({ args: ['--version'], signal })).replace(/^git version /, '');
  const [major = 0, minor = 0] = version.split('.').map(Number);
  return { version, supported: major > oldest[0] || (major === oldest[0] && minor >= oldest[1]) };
}
