import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, rename, symlink } from 'node:fs/promises';
import { dirname } from 'node:path';
import { promisify } from 'node:util';
import { inject } from 'vitest';
import { preparePlace, type PlaceOptions } from '../store/embedded/place.ts';

const run = promisify(execFile);

/**
 * Gives a data directory that is about to be made a database that is made already: a copy of the whole run's template,
 * with its tables, and the programs of the run's own server. initdb, migrations and a copy of the programs take more than
 * a second of processor time and 100 MB of writing. For tests that are not about how a database is made.
 */
export async function seedDatabase(options: PlaceOptions): Promise<void> {
  const place = await preparePlace(options);
  if (existsSync(place.data)) return;
  if (!existsSync(place.programs)) {
    await mkdir(dirname(place.programs), { recursive: true });
    await symlink(inject('databasePrograms'), place.programs);
  }
  // Ownership, too, which is the database account's.
  await run('cp', ['-a', inject('databaseTemplate'), `${place.data}.seed`]);
  await rename(`${place.data}.seed`, place.data);
}
