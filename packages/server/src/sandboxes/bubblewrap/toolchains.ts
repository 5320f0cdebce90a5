import { existsSync, readdirSync, realpathSync, statSync } from 'node:fs';
import { homedir } from 'node:os';
import { join, sep } from 'node:path';

export interface Bind {
  readonly source: string;
  readonly target: string;
}

/** The host's tools as a sandbox sees them: read-only, at the same places. */
export interface Toolchains {
  readonly binds: readonly Bind[];
  /** Directories for PATH, in the worker's order. */
  readonly path: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

/** Top directories with the distribution's programs; links such as `/bin` → `usr/bin` are made again inside. */
export const systemDirectories = ['/usr', '/bin', '/sbin', '/lib', '/lib32', '/lib64', '/libx32'];

/** Configuration that package managers keep below `/usr`; npm's global file there may hold a token. */
export const maskedDirectories = ['/usr/etc', '/usr/local/etc'];

/**
 * Tool chains that live in a home directory: which parts hold programs and nothing else. `$HOME` itself is never
 * mounted, nor what lies beside these (`~/.cargo/credentials.toml`, `~/.npmrc`, `~/.config` …).
 */
const homeToolchains: ReadonlyArray<{
  /** Below the home directory: a directory of PATH that shows the tool chain is in use. */
  readonly bin: string;
  readonly mounts: readonly string[];
  readonly env?: (home: string) => Record<string, string>;
}> = [
  {
    bin: '.cargo/bin',
    mounts: ['.cargo/bin', '.rustup'],
    env: (home) => ({ RUSTUP_HOME: join(home, '.rustup') }),
  },
  { bin: '.pyenv/shims', mounts: ['.pyenv'], env: (home) => ({ PYENV_ROOT: join(home, '.pyenv') }) },
  { bin: '.pyenv/bin', mounts: ['.pyenv'] },
  {
    bin: '.volta/bin',
    mounts: ['.volta/bin', '.volta/tools'],
    env: (home) => ({ VOLTA_HOME: join(home, '.volta') }),
  },
  { bin: '.bun/bin', mounts: ['.bun/bin'] },
  { bin: '.deno/bin', mounts: ['.deno/bin'] },
  { bin: 'go/bin', mounts: ['go/bin'] },
  { bin: '.asdf/shims', mounts: ['.asdf'], env: (home) => ({ ASDF_DATA_DIR: join(home, '.asdf') }) },
  { bin: '.local/share/mise/shims', mounts: ['.local/share/mise'] },
];

/** Directories below the home that hold one version of a tool chain each: `<prefix>/<version>/…/bin`. */
const versionRoots = [
  '.nvm/versions/node',
  '.local/share/fnm/node-versions',
  '.sdkman/candidates',
  'sdk',
  '.local/share/uv/python',
];

/** Single programs that installers drop into `~/.local/bin`, beside scripts of the user's own. */
const singlePrograms = ['uv', 'uvx', 'poetry', 'pdm', 'ruff'];

/** Prefixes outside the home whose subdirectories are installations of programs. */
const otherPrefixes = ['/opt', '/nix/store', '/home/linuxbrew/.linuxbrew', '/snap'];

const isWholeStore = (prefix: string): boolean => prefix === '/nix/store' || prefix.endsWith('.linuxbrew');

/** Finds the tool chains that the worker's PATH uses. */
export function findToolchains(
  pathVariable: string,
  home: string = homedir(),
  prefixes: readonly string[] = otherPrefixes,
): Toolchains {
  const binds = new Map<string, string>();
  const path: string[] = [];
  const env: Record<string, string> = {};
  const mount = (directory: string): boolean => {
    if (!existsSync(directory)) return false;
    binds.set(directory, realpathSync(directory));
    return true;
  };
  for (const directory of new Set(pathVariable.split(':'))) {
    if (!directory.startsWith('/') || !isDirectory(directory)) continue;
    if (systemDirectories.some((top) => within(directory, top))) {
      path.push(directory);
      continue;
    }
    const below = within(directory, home) && directory !== home ? directory.slice(home.length + 1) : null;
    if (below === null) {
      const prefix = prefixes.find((one) => within(directory, one));
      if (prefix === undefined || directory === prefix) continue;
      // A store's programs need the whole store.
      const root = isWholeStore(prefix) ? prefix : installationOf(directory, prefix);
      if (root !== null && mount(root)) path.push(directory);
      continue;
    }
    const known = homeToolchains.find(({ bin }) => bin === below);
    if (known !== undefined) {
      for (const each of known.mounts) mount(join(home, each));
      Object.assign(env, known.env?.(home));
      path.push(directory);
      continue;
    }
    if (below === '.local/bin') {
      for (const name of singlePrograms) mount(join(directory, name));
      path.push(directory);
      continue;
    }
    const root = versionRoots.find((one) => below.startsWith(`${one}/`));
    if (root === undefined) continue;
    const version = below.slice(root.length + 1).split(sep)[0]!;
    if (mount(join(home, root, version))) path.push(directory);
  }
  const standard = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin'].filter(
    isDirectory,
  );
  return {
    binds: [...binds].map(([target, source]) => ({ source, target })),
    path: [...new Set([...path, ...standard])],
    env,
  };
}

/** What only the working copy of a project has, beside its sources and often beside its secrets. */
const projectFiles = ['.git', '.env', '.berth', '.npmrc', '.venv'];

/**
 * The installation that a directory of programs belongs to: `/opt/tool` of `/opt/tool/bin`. A project that lies there
 * and has its own programs on PATH (`node_modules/.bin`, `.venv/bin`) is none: its files are nobody's tools.
 * @returns null when there is none to mount
 */
function installationOf(directory: string, prefix: string): string | null {
  const parts = directory.slice(prefix.length + 1).split(sep);
  if (parts.includes('node_modules')) return null;
  for (let depth = 1; depth <= parts.length; depth += 1) {
    const above = join(prefix, ...parts.slice(0, depth));
    if (projectFiles.some((name) => existsSync(join(above, name)))) return null;
  }
  return join(prefix, parts[0]!);
}

/** Whether a program of this name can be found in the directories. */
export function hasProgram(name: string, directories: readonly string[]): boolean {
  return directories.some((directory) => {
    try {
      return readdirSync(directory).includes(name);
    } catch {
      return false;
    }
  });
}

function within(path: string, top: string): boolean {
  return path === top || path.startsWith(top.endsWith(sep) ? top : top + sep);
}

function isDirectory(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch {
    return false;
  }
}
