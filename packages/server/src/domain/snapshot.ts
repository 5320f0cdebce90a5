import { createHash } from 'node:crypto';
import type { Blueprint, BlueprintSource, Command } from './blueprint.ts';
import type { EgressRule } from './egress.ts';
import type { StoredEvent } from './events/index.ts';
import type { DriverName } from './ports/sandbox.ts';

/** Raised whenever what a snapshot holds, or how it is made, changes: older ones are not found any more. */
export const snapshotFormat = 2;

/** Files that decide what package managers install, by ecosystem: manifests, lock files, and their settings. */
const manifestNames: ReadonlySet<string> = new Set(
  [
    'package.json package-lock.json npm-shrinkwrap.json pnpm-lock.yaml pnpm-workspace.yaml yarn.lock .npmrc .yarnrc',
    '.yarnrc.yml .pnpmfile.cjs bun.lock bun.lockb deno.json deno.lock lerna.json .nvmrc .node-version .tool-versions',
    'go.mod go.sum go.work go.work.sum vendor/modules.txt Cargo.toml Cargo.lock rust-toolchain rust-toolchain.toml',
    'pyproject.toml poetry.lock uv.lock pdm.lock Pipfile Pipfile.lock setup.py setup.cfg .python-version constraints.txt',
    'pom.xml gradle.lockfile gradle.properties gradle-wrapper.properties settings.gradle settings.gradle.kts',
    'Gemfile Gemfile.lock .ruby-version composer.json composer.lock mix.exs mix.lock pubspec.yaml pubspec.lock',
    'packages.lock.json Directory.Packages.props global.json Package.swift Package.resolved flake.nix flake.lock',
    'environment.yml conda-lock.yml MODULE.bazel MODULE.bazel.lock .gitignore .gitattributes',
  ].flatMap((line) => line.split(' ')),
);

const manifestPatterns = [
  /^(?:.*[-_.])?(?:requirements|constraints)(?:[-_.].*)?\.(?:txt|in)$/,
  /^build\.gradle(?:\.kts)?$/,
  /\.versions\.toml$/,
  /\.gemspec$/,
  /\.(?:cs|fs|vb)proj$/,
];

/** One file of a commit's tree, as the mirror names it. */
export interface TreeFile {
  readonly path: string;
  readonly mode: string;
  readonly id: string;
}

/** Whether a path of a repository decides what is installed. Pure. */
export function isManifest(path: string): boolean {
  const name = path.slice(path.lastIndexOf('/') + 1);
  if (manifestNames.has(name) || manifestPatterns.some((pattern) => pattern.test(name))) return true;
  return /(?:^|\/)requirements\/[^/]+\.(?:txt|in)$/.test(path);
}

/** Whether the commands name a file, or a folder it lies in, as it is or below their own folder. Pure. */
export function isNamedBy(setup: readonly Pick<Command, 'run' | 'cwd'>[], path: string): boolean {
  return setup.some(({ run, cwd }) => {
    const words = new Set(
      run.split(/[\s'"`;|&()<>=$]+/).map((word) => word.replace(/^\.\//, '').replace(/\/$/, '')),
    );
    const below = cwd !== '.' && path.startsWith(`${cwd}/`) ? path.slice(cwd.length + 1) : null;
    return [path, below].some(
      (form) => form !== null && prefixesOf(form).some((prefix) => words.has(prefix)),
    );
  });
}

/** `a/b/c` → `a`, `a/b`, `a/b/c`. */
function prefixesOf(path: string): string[] {
  const parts = path.split('/');
  return parts.map((_, at) => parts.slice(0, at + 1).join('/'));
}

const word = String.raw`[\w@%+=:,.~^*/-]+`;
const arguments_ = String.raw`(?:\s+(?:${word}|"\$HOME/\.berth"))*`;
const path = String.raw`(?:PATH="\$HOME/\.berth/[\w./]+:\$PATH"\s+)?`;
/** Of a package; a path would begin with a dot, or hold a slash. */
const name = '[A-Za-z0-9][A-Za-z0-9._-]*';
const python = String.raw`(?:\S*python3?\s+-m\s+)?`;
/**
 * Commands that install what manifests say and run nothing of the repository. A command that is none of these may read
 * any file, so that its result holds for one tree alone.
 */
const installers = [
  String.raw`${path}npm\s+(?:ci|install|i)${arguments_}`,
  String.raw`${path}pnpm\s+(?:install|i|fetch)${arguments_}`,
  String.raw`${path}yarn(?:\s+install)?(?:\s+--${word})*`,
  String.raw`go\s+mod\s+download`,
  String.raw`cargo\s+fetch(?:\s+--${word})*`,
  String.raw`${python}pip3?\s+install(?:\s+(?:-r\s+${word}|--[\w-]+|${name}(?:[=<>~!]=${word})?))+`,
  String.raw`${path}uv\s+pip\s+install(?:\s+${name})+`,
  String.raw`python3?\s+-m\s+venv\s+\S+`,
  String.raw`bundle\s+install(?:\s+--${word})*`,
  String.raw`${python}\w+\s+--version`,
  String.raw`command\s+-v\s+\w+`,
  String.raw`printf\s+'\*\\n'`,
  String.raw`\[\s+!?\s*-[def]\s+[\w./-]+\s+\]`,
  'true',
].map((pattern) => new RegExp(`^(?:${pattern})$`));

function isInstaller(run: string): boolean {
  return run
    .split(/&&|\|\||;|\n/)
    .map((part) =>
      part
        .trim()
        .replace(/^\{\s*|\s*\}$/g, '')
        .replace(/\s*\d?>&\d|\s*\d?>\s*[\w./-]+/g, '')
        .trim(),
    )
    .filter((part) => part !== '')
    .every((part) => installers.some((pattern) => pattern.test(part)));
}

/** Words of a manifest that make an installation read or run other files of the repository. */
const reachesOut = {
  'package.json':
    /"(?:pre|post)?(?:install|prepare|prepack|dependencies)"\s*:\s*"|"(?:file|link|portal):|"\.{1,2}\//,
  other: /^\s*(?:-e\b|--editable\b|\.{0,2}\/|\.\s*(?:$|\[|;))|file:|\bpath\s*=|backend-path|\bworkspace\s*=/m,
};

/**
 * What the result of `setup` depends on: the manifests of the tree, or all of it. All of it when a command is not known
 * to be a plain installation, or a manifest lets the installation run scripts or read sources of the repository: a
 * result that was built from other sources must not stand in for one of these. Pure.
 * @param manifests contents of the tree's manifests by path; null for one that was too large to read
 */
export function scopeOf(
  setup: readonly Pick<Command, 'run'>[],
  manifests: ReadonlyMap<string, string | null>,
): 'manifests' | 'tree' {
  if (!setup.every(({ run }) => isInstaller(run))) return 'tree';
  for (const [path_, text] of manifests) {
    const name = path_.slice(path_.lastIndexOf('/') + 1);
    // Lock files name what they lock; what they add to their manifest is versions.
    if (/lock|\.sum$|shrinkwrap|^\.git/.test(name)) continue;
    if (text === null || name === 'setup.py' || name === '.pnpmfile.cjs') return 'tree';
    const reaching = name === 'package.json' ? reachesOut['package.json'] : reachesOut.other;
    if (reaching.test(text)) return 'tree';
  }
  return 'manifests';
}

/** Everything that the result of a project's `setup` depends on, and what tells projects apart. */
export interface SnapshotKeyParts {
  readonly projectId: string;
  readonly setup: readonly Command[];
  /** What each setup command may reach, the configuration's rules included; and what cuts it. */
  readonly egress: readonly (readonly EgressRule[])[];
  readonly bounds: {
    readonly ceilings: readonly (readonly EgressRule[])[];
    readonly deny: readonly string[];
    readonly refusedRanges: readonly string[] | null;
  };
  /** Object ids of the files it reads; with scope `tree` the tree's own. Always the mirror's, never a sandbox's word. */
  readonly scope: 'manifests' | 'tree';
  readonly files: readonly TreeFile[];
  readonly tree: string | null;
  /** As the driver tells of the sandbox: its image by digest or id, or the host's tool chain; and the architecture. */
  readonly toolchain: string;
  readonly driver: DriverName;
}

/** Name of the snapshot that fits, 64 hex digits: another one for every difference in any part. Pure. */
export function snapshotKey(parts: SnapshotKeyParts): string {
  const files = parts.files.toSorted((left, right) => (left.path < right.path ? -1 : 1));
  const text = JSON.stringify(ordered({ format: snapshotFormat, ...parts, files }));
  return createHash('sha256').update(text).digest('hex');
}

/** The same value with the keys of its objects in one order. */
function ordered(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(ordered);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).filter(([, entry]) => entry !== undefined);
  return Object.fromEntries(
    entries
      .toSorted(([left], [right]) => (left < right ? -1 : 1))
      .map(([key, entry]) => [key, ordered(entry)]),
  );
}

/** What decides whether a sandbox is clean enough that others may begin from what its setup made. */
export interface MakingFacts {
  readonly sandboxId: string;
  readonly source: BlueprintSource;
  readonly setup: Blueprint['setup'];
  /** Whether the project's default branch holds the run's base commit, as the mirror says. */
  readonly isOnDefaultBranch: boolean;
  /** The run's whole log. */
  readonly events: readonly StoredEvent[];
}

/**
 * Why no snapshot may be made of a work sandbox; null: it may. Everything that has acted in a sandbox besides its setup
 * is in the log before it acts. Pure.
 */
export function whyNotMade(facts: MakingFacts): string | null {
  const { sandboxId, source, events } = facts;
  if (facts.setup.length === 0) return 'there is no setup';
  if (!facts.isOnDefaultBranch) return 'the base commit is not on the default branch of the project';
  if (source.kind === 'file') return 'the blueprint came with the task';
  const created = events.findLast(
    (entry) => entry.type === 'sandbox.created' && entry.data.ref.id === sandboxId,
  );
  if (created?.type !== 'sandbox.created') return 'its making is not in the log';
  if (created.data.purpose !== 'work') return 'it is not a work sandbox';
  if (created.data.restoredFrom !== null) return 'it was restored from a checkpoint';
  const setupPrefix = `setup/work/${sandboxId}/`;
  for (const entry of events) {
    const acts =
      entry.type.startsWith('agent.') ||
      entry.type.startsWith('model.') ||
      entry.type.startsWith('tool.') ||
      entry.type.startsWith('terminal.') ||
      entry.type === 'checkpoint.saved';
    if (entry.type === 'secrets.given' && entry.data.exposed.length > 0)
      return 'forwarded variables are in its sandboxes';
    if (acts) return `the run has gone on: ${entry.type} is in its log`;
    if (
      entry.type === 'command.started' &&
      entry.data.sandboxId === sandboxId &&
      !entry.data.id.startsWith(setupPrefix)
    )
      return `${entry.data.name} ran in it`;
    if (
      entry.type === 'command.ended' &&
      entry.data.id.startsWith(setupPrefix) &&
      entry.data.result.exitCode !== 0
    )
      return 'a setup command had failed in it';
  }
  return null;
}
