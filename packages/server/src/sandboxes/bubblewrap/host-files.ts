import { createHash } from 'node:crypto';
import {
  chmodSync,
  constants,
  copyFileSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readlinkSync,
  realpathSync,
  renameSync,
  statSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { maskedDirectories, systemDirectories, type Bind } from './toolchains.ts';

/** The distribution's directories as a sandbox gets them: mounted, or linked again where they are links. */
export function systemBinds(): {
  readonly links: ReadonlyArray<{ readonly path: string; readonly target: string }>;
  readonly binds: readonly Bind[];
  readonly masked: readonly string[];
} {
  const links: Array<{ path: string; target: string }> = [];
  const binds: Bind[] = [];
  for (const path of systemDirectories) {
    if (!existsSync(path)) continue;
    if (lstatSync(path).isSymbolicLink()) links.push({ path, target: readlinkSync(path) });
    else binds.push({ source: path, target: path });
  }
  return { links, binds, masked: maskedDirectories.filter((path) => existsSync(path)) };
}

/** Whether every user of the machine can read `path` and walk to it. */
export function isReachableByAll(path: string): boolean {
  const real = realpathSync(path);
  const own = statSync(real).mode;
  if ((own & 0o004) === 0 || (statSync(real).isDirectory() && (own & 0o001) === 0)) return false;
  for (let at = dirname(real); ; at = dirname(at)) {
    if ((statSync(at).mode & 0o001) === 0) return false;
    if (at === '/') return true;
  }
}

/**
 * A program that every uid can execute, wherever it came from: a copy in `directory`, made once for each version of
 * the file. A checkout below `/root`, or one made under a strict umask, cannot be read by a sandbox's uid.
 */
export function placeProgram(source: string, directory: string): string {
  const real = realpathSync(source);
  if (isReachableByAll(real)) return real;
  const { size, mtimeMs, ino } = statSync(real);
  const version = createHash('sha256')
    .update(`${real}\0${size}\0${mtimeMs}\0${ino}`)
    .digest('hex')
    .slice(0, 24);
  const target = join(directory, `${basename(real)}-${version}`);
  if (existsSync(target)) return target;
  mkdirSync(directory, { recursive: true, mode: 0o755 });
  const temporary = `${target}.${process.pid}.tmp`;
  copyFileSync(real, temporary, constants.COPYFILE_FICLONE);
  chmodSync(temporary, 0o755);
  renameSync(temporary, target);
  return target;
}
