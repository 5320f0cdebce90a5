import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { rootDirectory } from '../sandboxes/local/identity.ts';
import { defaultStateDirectory } from '../sandboxes/bubblewrap/index.ts';

/** Removes a directory with data directories in it, and what root keeps of them elsewhere (about 40 MB each). */
export function removeHomes(directory: string): void {
  for (const name of namesIn(rootDirectory)) {
    const home = textOf(join(rootDirectory, name, 'home')).trimEnd();
    if (home !== directory && !home.startsWith(`${directory}/`)) continue;
    rmSync(join(rootDirectory, name), { recursive: true, force: true, maxRetries: 5 });
    rmSync(defaultStateDirectory(home), { recursive: true, force: true, maxRetries: 5 });
  }
  rmSync(directory, { recursive: true, force: true, maxRetries: 5 });
}

function namesIn(directory: string): readonly string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
