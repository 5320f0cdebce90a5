import type { Place } from './reader.ts';

/** How one package manager is called. */
export interface Manager {
  readonly name: 'npm' | 'pnpm' | 'yarn';
  /** Commands that make the manager itself available where it is not; empty for npm. */
  readonly provide: readonly string[];
  readonly install: string;
  /** Runs a script of the manifest. Only called with names that this program knows. */
  run(script: string): string;
  /** Calls an installed program, never one from the network. */
  readonly exec: string;
  /** Whether `node_modules/.bin` exists after the installation. */
  readonly hasBinaries: boolean;
  /** The tests of all packages of a workspace; null where there is no safe form. */
  readonly everywhere: string | null;
  readonly notes: readonly string[];
}

/** Where a package manager that the image lacks is put: outside of the repository, inside the sandbox. */
const toolPath = 'PATH="$HOME/.berth/node_modules/.bin:$PATH"';

/** Versions are put into commands: anything but a plain version is left out. */
const plainVersion = /^\d{1,4}\.\d{1,4}\.\d{1,4}(?:-[a-z0-9.]{1,20})?$/;

/** Chooses by the `packageManager` field, then by the lock file, then npm. */
export async function managerOf(place: Place, field: string | null): Promise<Manager> {
  const [wanted, rest] = (field ?? '').split('@');
  const version = rest === undefined ? null : rest.split('+')[0]!;
  const known = version !== null && plainVersion.test(version) ? version : null;
  const locks = {
    npm: place.names.has('package-lock.json') || place.names.has('npm-shrinkwrap.json'),
    pnpm: place.names.has('pnpm-lock.yaml'),
    yarn: place.names.has('yarn.lock'),
  };
  const byLock = (['pnpm', 'yarn', 'npm'] as const).find((name) => locks[name]);
  const name = wanted === 'npm' || wanted === 'pnpm' || wanted === 'yarn' ? wanted : (byLock ?? 'npm');
  const notes: string[] = [];
  const found = Object.entries(locks).filter(([, there]) => there);
  if (found.length > 1) notes.push(`several lock files; ${name} is used`);
  if (place.names.has('bun.lock') || place.names.has('bun.lockb'))
    notes.push('bun is not known; npm is used');
  switch (name) {
    case 'npm':
      return npm(locks.npm, notes);
    case 'pnpm':
      return pnpm(known ?? (await pnpmVersion(place)), locks.pnpm, notes);
    case 'yarn':
      return yarn(place, known, locks.yarn, notes);
  }
}

function npm(locked: boolean, notes: readonly string[]): Manager {
  return {
    name: 'npm',
    provide: [],
    install: locked ? 'npm ci --no-audit --no-fund' : 'npm install --no-package-lock --no-audit --no-fund',
    run: (script) => (script === 'test' ? 'npm test' : `npm run ${script}`),
    exec: 'npx --no-install',
    hasBinaries: true,
    everywhere: 'npm test --workspaces --if-present',
    notes,
  };
}

function provide(command: string, specifier: string): string {
  return `command -v ${command} >/dev/null 2>&1 || npm install --no-audit --no-fund --prefix "$HOME/.berth" ${specifier}`;
}

function pnpm(version: string, locked: boolean, notes: readonly string[]): Manager {
  return {
    name: 'pnpm',
    provide: [provide('pnpm', `pnpm@${version}`)],
    install: `${toolPath} pnpm install ${locked ? '--frozen-lockfile' : '--no-lockfile'}`,
    run: (script) => `${toolPath} pnpm run ${script}`,
    exec: `${toolPath} pnpm exec`,
    hasBinaries: true,
    everywhere: `${toolPath} pnpm --recursive --if-present run test`,
    notes,
  };
}

/** pnpm reads lock files of its own time: 5.x is pnpm 7, 6.x is pnpm 8, 9.x is pnpm 9 and later. */
async function pnpmVersion(place: Place): Promise<string> {
  const text = (await place.read('pnpm-lock.yaml')) ?? '';
  const major = /^lockfileVersion:\s*['"]?(\d+)/m.exec(text.slice(0, 400))?.[1];
  return major === '5' ? '7' : major === '6' ? '8' : '9';
}

async function yarn(
  place: Place,
  version: string | null,
  locked: boolean,
  notes: readonly string[],
): Promise<Manager> {
  const text = ((await place.read('yarn.lock')) ?? '').slice(0, 400);
  const settings = (await place.read('.yarnrc.yml')) ?? '';
  const modern =
    version !== null
      ? !version.startsWith('1.')
      : place.names.has('.yarnrc.yml') || text.includes('__metadata:');
  const linksModules = /^nodeLinker:\s*["']?(?:node-modules|pnpm)/m.test(settings);
  return {
    name: 'yarn',
    provide: [
      provide('yarn', modern ? `@yarnpkg/cli-dist@${version ?? '4'}` : `yarn@${version ?? '1.22.22'}`),
    ],
    install: locked
      ? `${toolPath} yarn install ${modern ? '--immutable' : '--frozen-lockfile'}`
      : `${toolPath} yarn install${modern ? '' : ' --no-lockfile'}`,
    run: (script) => `${toolPath} yarn run ${script}`,
    exec: `${toolPath} yarn run`,
    hasBinaries: !modern || linksModules,
    everywhere: null,
    notes,
  };
}
