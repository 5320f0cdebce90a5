import {
  forFiles,
  setupMinutes,
  testMinutes,
  unattended,
  type CheckInput,
  type CommandInput,
  type Part,
} from './part.ts';
import type { Place } from './reader.ts';
import { managerOf, type Manager } from './node-manager.ts';

interface Manifest {
  readonly scripts: Readonly<Record<string, string>>;
  /** Names of all dependencies of whatever kind. */
  readonly dependencies: ReadonlySet<string>;
  readonly workspaces: boolean;
  readonly packageManager: string | null;
  readonly keys: ReadonlySet<string>;
}

const testNames = ['test', 'test:ci', 'test:unit', 'test:run', 'tests'];
const formatCheckNames = [
  'format:check',
  'check:format',
  'fmt:check',
  'format-check',
  'prettier:check',
  'check-format',
];
const formatFixNames = ['format', 'fmt', 'format:fix', 'format:write', 'prettier'];
const lintNames = ['lint', 'lint:check', 'eslint'];
const lintFixNames = ['lint:fix', 'lint-fix', 'fix:lint'];
const typecheckNames = ['typecheck', 'type-check', 'check:types', 'types:check', 'tsc'];
const script = ['*.js', '*.jsx', '*.mjs', '*.cjs', '*.ts', '*.tsx', '*.mts', '*.cts'];

/** Node: package manager by `packageManager` field and lock file, commands by the usual names of scripts. */
export async function detectNode(place: Place): Promise<Part | null> {
  if (!place.names.has('package.json')) return null;
  const text = await place.read('package.json');
  const part = { ecosystem: 'node', directory: place.directory } as const;
  const manifest = text === null ? null : readManifest(text);
  if (manifest === null) {
    return { ...part, setup: [], checks: [], notes: [`${at(place, 'package.json')} cannot be read as JSON`] };
  }
  const manager = await managerOf(place, manifest.packageManager);
  return {
    ...part,
    setup: await setupOf(place, manifest, manager),
    checks: await checksOf(place, manifest, manager),
    notes: manager.notes,
  };
}

function readManifest(text: string): Manifest | null {
  let value: unknown;
  try {
    value = JSON.parse(text.replace(/^\uFEFF/, ''));
  } catch {
    return null;
  }
  if (!isRecord(value)) return null;
  const dependencies = [
    'dependencies',
    'devDependencies',
    'optionalDependencies',
    'peerDependencies',
  ].flatMap((key) => (isRecord(value[key]) ? Object.keys(value[key]) : []));
  const scripts = isRecord(value['scripts']) ? value['scripts'] : {};
  return {
    scripts: Object.fromEntries(
      Object.entries(scripts).filter((entry): entry is [string, string] => typeof entry[1] === 'string'),
    ),
    dependencies: new Set(dependencies),
    workspaces: value['workspaces'] !== undefined,
    packageManager: typeof value['packageManager'] === 'string' ? value['packageManager'] : null,
    keys: new Set(Object.keys(value)),
  };
}

async function setupOf(place: Place, manifest: Manifest, manager: Manager): Promise<CommandInput[]> {
  const hooks = ['preinstall', 'install', 'postinstall', 'prepare'].some((name) =>
    Object.hasOwn(manifest.scripts, name),
  );
  const workspaces = manifest.workspaces || place.names.has('pnpm-workspace.yaml');
  if (manifest.dependencies.size === 0 && !workspaces && !hooks) return [];
  const ignore = (await place.read('.gitignore')) ?? '';
  const command = (run: string): CommandInput => ({
    run,
    cwd: place.directory,
    timeoutMinutes: setupMinutes,
    egress: [{ ecosystem: 'npm' }],
  });
  // What is installed must not become part of a proposal where the repository forgot to ignore it.
  const hide = /node_modules/.test(ignore)
    ? ''
    : " && { [ ! -d node_modules ] || printf '*\\n' > node_modules/.gitignore; }";
  return [...manager.provide.map(command), command(`${manager.install}${hide}`)];
}

async function checksOf(place: Place, manifest: Manifest, manager: Manager): Promise<CheckInput[]> {
  const { scripts, dependencies } = manifest;
  const cwd = place.directory;
  const named = (names: readonly string[]): string | undefined =>
    names.find((name) => Object.hasOwn(scripts, name));
  const has = (pattern: RegExp): boolean => [...place.names].some((name) => pattern.test(name));
  const checks: CheckInput[] = [];

  const biome = has(/^\.?biome\.jsonc?$/) && dependencies.has('@biomejs/biome');
  const prettier =
    dependencies.has('prettier') &&
    (has(/^(?:\.prettierrc|prettier\.config\.)/) || manifest.keys.has('prettier'));
  const formatCheck =
    named(formatCheckNames) ?? formatFixNames.find((name) => /--check\b|\s-c\b/.test(scripts[name] ?? ''));
  const formatFix = formatFixNames.find((name) => Object.hasOwn(scripts, name) && name !== formatCheck);
  const prettierFix = `${manager.exec} prettier --write --ignore-unknown "$@"`;
  if (formatCheck !== undefined) {
    const fix =
      prettier || /prettier/.test(scripts[formatCheck] ?? '')
        ? prettierFix
        : formatFix === undefined
          ? null
          : manager.run(formatFix);
    checks.push({
      name: 'format',
      kind: 'format',
      run: manager.run(formatCheck),
      cwd,
      ...(fix === null ? {} : { fix }),
    });
  } else if (prettier || (formatFix !== undefined && /\bprettier\b/.test(scripts[formatFix]!))) {
    checks.push({
      name: 'format',
      kind: 'format',
      run: `${manager.exec} prettier --check .`,
      fix: prettierFix,
      affected: `${manager.exec} prettier --check --ignore-unknown "$@"`,
      cwd,
    });
  }

  const lint = named(lintNames);
  const lintFix = named(lintFixNames);
  const flatConfig = has(/^eslint\.config\.[cm]?[jt]s$/) && dependencies.has('eslint');
  const eslintFix = forFiles(script, `${manager.exec} eslint --fix --no-warn-ignored`);
  const biomeFix = `${manager.exec} biome check --write --no-errors-on-unmatched --files-ignore-unknown=true "$@"`;
  const ownFix = biome
    ? biomeFix
    : flatConfig
      ? eslintFix
      : lintFix === undefined
        ? undefined
        : manager.run(lintFix);
  if (lint !== undefined) {
    const usesOwn = /\b(?:eslint|biome)\b/.test(scripts[lint]!) || lintFix !== undefined;
    checks.push({
      name: 'lint',
      kind: 'lint',
      run: manager.run(lint),
      cwd,
      ...(usesOwn && ownFix !== undefined ? { fix: ownFix } : {}),
    });
  } else if (biome) {
    checks.push({ name: 'lint', kind: 'lint', run: `${manager.exec} biome check .`, fix: biomeFix, cwd });
  } else if (flatConfig) {
    checks.push({ name: 'lint', kind: 'lint', run: `${manager.exec} eslint .`, fix: eslintFix, cwd });
  }

  const typecheck = named(typecheckNames);
  if (typecheck !== undefined) {
    checks.push({ name: 'typecheck', kind: 'lint', run: manager.run(typecheck), cwd });
  }

  const test = testNames.find((name) => Object.hasOwn(scripts, name) && isRealTest(scripts[name]!));
  if (test !== undefined) {
    const affected = affectedTests(scripts[test]!, manager);
    checks.push({
      name: 'test',
      kind: 'test',
      run: manager.run(test),
      cwd,
      env: { ...unattended },
      timeoutMinutes: testMinutes,
      ...(affected === null ? {} : { affected }),
    });
  } else if (manifest.workspaces && manager.everywhere !== null) {
    checks.push({
      name: 'test',
      kind: 'test',
      run: manager.everywhere,
      cwd,
      env: { ...unattended },
      timeoutMinutes: testMinutes,
    });
  }
  if (Object.hasOwn(scripts, 'build')) {
    checks.push({
      name: 'build',
      kind: 'build',
      run: manager.run('build'),
      cwd,
      timeoutMinutes: testMinutes,
    });
  }
  return checks;
}

/** `npm init` writes a test script that only fails; one that watches never ends. */
function isRealTest(text: string): boolean {
  return text.trim() !== '' && !/no test specified/.test(text) && !/--watch(?:All)?\b(?!=false)/.test(text);
}

/** The affected form of a test script that is nothing but one call of a runner we know. */
function affectedTests(text: string, manager: Manager): string | null {
  if (!manager.hasBinaries || !/^[\w\s=./:@-]*$/.test(text)) return null;
  if (/^vitest(?:\s|$)/.test(text)) return `${manager.exec} vitest related --run --passWithNoTests "$@"`;
  if (/^jest(?:\s|$)/.test(text)) return `${manager.exec} jest --findRelatedTests --passWithNoTests "$@"`;
  return null;
}

function at(place: Place, name: string): string {
  return place.directory === '.' ? name : `${place.directory}/${name}`;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
