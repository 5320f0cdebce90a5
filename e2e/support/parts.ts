import { execFileSync } from 'node:child_process';

/** Null when a program is there; otherwise the words for the name of a skipped test. */
function missing(program: string): string | null {
  try {
    execFileSync('sh', ['-c', 'command -v "$1"', 'sh', program], { stdio: 'ignore' });
    return null;
  } catch {
    return `${program} is missing`;
  }
}

export const bubblewrapMissing = missing('bwrap');
