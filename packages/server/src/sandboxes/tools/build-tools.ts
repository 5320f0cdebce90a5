import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  constants,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { sandboxdBundle } from '@berth/sandboxd';
import { rgPath } from '@vscode/ripgrep';
import { bindToTools, insideLibraries, insideLoader, loaderOf } from './elf.ts';
import { insideTools, toolPaths } from './layout.ts';

const run = promisify(execFile);

/** Grows with what this file makes of the same sources. */
const layoutVersion = 1;

/** One file of the directory. */
interface Item {
  readonly source: string;
  /** Below the directory. */
  readonly target: string;
}

/**
 * The directory that makes any Linux image of this processor a sandbox: Node, ripgrep, git and the few programs that the
 * runner uses, with their own loader and libraries, so that they run in images of another C library or of none. It is made
 * once for each version of its sources and never changed; half a second, about 190 MB.
 * @param directory where versions are kept; must be reachable by the uids of sandboxes
 * @returns its path, to be mounted read-only at `/opt/berth`
 * @throws Error where this machine's programs cannot be carried along (a musl system's)
 */
export async function toolsDirectory(directory: string): Promise<string> {
  const items = await toolItems();
  const hash = createHash('sha256').update(`${layoutVersion}\0${process.arch}\0`);
  for (const { source, target } of items) {
    const { size, mtimeMs, ino } = statSync(source);
    hash.update(`${source}\0${target}\0${size}\0${mtimeMs}\0${ino}\0`);
  }
  const final = join(directory, hash.digest('hex').slice(0, 24));
  if (existsSync(final)) return final;
  mkdirSync(directory, { recursive: true, mode: 0o755 });
  const temporary = mkdtempSync(join(directory, '.new-'));
  try {
    await buildTools(temporary, items);
    try {
      renameSync(temporary, final);
    } catch (error) {
      // Another process was quicker.
      if (!existsSync(final)) throw error;
    }
    return final;
  } finally {
    rmSync(temporary, { recursive: true, force: true });
  }
}

/** Fills an empty directory, `/opt/berth` of a sandbox or the root of an image that is mounted there. */
export async function buildTools(directory: string, items?: readonly Item[]): Promise<void> {
  chmodSync(directory, 0o755);
  const made = new Set<string>();
  const libraries = join(directory, relative(insideLibraries));
  mkdirSync(libraries, { mode: 0o755 });
  let loader: string | null = null;
  for (const { source, target } of items ?? (await toolItems())) {
    const path = join(directory, target);
    mkdirSync(dirname(path), { recursive: true, mode: 0o755 });
    copy(source, path);
    const wanted = loaderOf(source);
    if (wanted === null) continue;
    loader ??= wanted;
    if (loader !== wanted)
      throw new Error(`${source} needs the loader ${wanted}, other programs of this machine ${loader}.`);
    for (const [name, library] of await librariesOf(wanted, source)) {
      if (made.has(name)) continue;
      made.add(name);
      copy(library, join(libraries, name));
    }
    bindToTools(path);
  }
  if (loader !== null) copy(loader, join(directory, relative(insideLoader)));
  addGit(directory);
}

const relative = (inside: string): string => inside.slice(insideTools.length + 1);

function copy(source: string, target: string): void {
  copyFileSync(realpathSync(source), target, constants.COPYFILE_FICLONE);
  chmodSync(target, 0o755);
}

/** Programs of this machine that the runner uses where an image has none; those that are missing here are left out. */
const helpers = ['du', 'mkfifo', 'sleep', 'script', 'stty'];
const gitScripts = ['git-submodule', 'git-sh-setup', 'git-sh-i18n'];

async function toolItems(): Promise<readonly Item[]> {
  const bundle = await sandboxdBundle();
  const core = await run('git', ['--exec-path']).then(
    ({ stdout }) => stdout.trim(),
    () => null,
  );
  const optional = (source: string | null, target: string): Item[] =>
    source === null || !existsSync(source) ? [] : [{ source, target }];
  return [
    { source: process.execPath, target: relative(toolPaths.node) },
    { source: '/bin/sh', target: relative(toolPaths.shell) },
    { source: bundle.runner, target: relative(toolPaths.runner) },
    { source: bundle.sandboxd, target: relative(toolPaths.sandboxd) },
    { source: rgPath, target: 'bin/rg' },
    ...helpers.flatMap((name) => optional(programOf(name), `bin/${name}`)),
    ...(core === null
      ? []
      : [
          ...optional(join(core, 'git'), 'git/core/git'),
          ...optional(join(core, 'git-remote-http'), 'git/core/git-remote-http'),
          ...gitScripts.flatMap((name) => optional(join(core, name), `git/core/${name}`)),
        ]),
  ];
}

function programOf(name: string): string | null {
  return ['/usr/bin', '/bin'].map((directory) => join(directory, name)).find(existsSync) ?? null;
}

/** git looks for its parts where it was compiled for: a small script tells it where they are. */
function addGit(directory: string): void {
  const core = join(directory, 'git', 'core');
  if (!existsSync(join(core, 'git'))) return;
  mkdirSync(join(directory, 'git', 'templates'), { mode: 0o755 });
  for (const name of ['git-upload-pack', 'git-receive-pack', 'git-upload-archive'])
    symlinkSync('git', join(core, name));
  symlinkSync('git-remote-http', join(core, 'git-remote-https'));
  const script = `#!${toolPaths.shell}
export GIT_EXEC_PATH=${insideTools}/git/core GIT_TEMPLATE_DIR=${insideTools}/git/templates
exec ${insideTools}/git/core/\${0##*/} "$@"
`;
  for (const name of ['git', 'git-upload-pack', 'git-receive-pack', 'git-upload-archive'])
    writeFileSync(join(directory, 'bin', name), script, { mode: 0o755 });
}

/** Libraries that are opened by name at run time, beside the C library where they still are files of their own. */
const opened = ['libnss_files.so.2', 'libnss_dns.so.2', 'libresolv.so.2'];

async function librariesOf(loader: string, program: string): Promise<ReadonlyMap<string, string>> {
  const { stdout } = await run(loader, ['--list', realpathSync(program)]).catch((error: unknown) => {
    throw new Error(`The libraries of ${program} cannot be listed by ${loader}.`, { cause: error });
  });
  const found = new Map<string, string>();
  for (const [, name, path] of stdout.matchAll(/^\s*(\S+) => (\/\S+) \(/gm))
    found.set(basename(name!), path!);
  const c = found.get('libc.so.6');
  if (c === undefined)
    throw new Error(
      `${program} is not a program of the GNU C library; its libraries cannot be carried along.`,
    );
  for (const name of opened) {
    const path = join(dirname(c), name);
    if (existsSync(path)) found.set(name, path);
  }
  return found;
}
