import { blueprintSchema, type Blueprint } from '../../domain/blueprint.ts';
import { detectGo } from './go.ts';
import { detectMake } from './make.ts';
import { detectNode } from './node.ts';
import type { CheckInput, Ecosystem, Part } from './part.ts';
import { detectPython } from './python.ts';
import { placeOf, type Place, type RepositoryReader } from './reader.ts';

export type { RepositoryReader } from './reader.ts';

export interface Detected {
  readonly blueprint: Blueprint;
  readonly ecosystems: readonly Ecosystem[];
  /** Remarks for people: what was not found, what was chosen where there was a choice. */
  readonly notes: readonly string[];
}

type Detector = (place: Place) => Promise<Part | null>;
const detectors: ReadonlyArray<readonly [Ecosystem, Detector, readonly string[]]> = [
  ['node', detectNode, ['package.json']],
  ['python', detectPython, ['pyproject.toml', 'setup.py', 'setup.cfg', 'requirements.txt', 'uv.lock']],
  ['go', detectGo, ['go.mod']],
];

/** Subdirectories that are looked into per ecosystem, and how deep, when the root does not say how to test. */
const maxDirectories = 4;
const maxDepth = 2;
/** Code that is not the project's own, or only there to be looked at. */
const notOwn =
  /^(?:\..*|node_modules|vendor|third_party|examples?|samples?|fixtures?|testdata|tests?|docs?|dist|build|templates?|benchmarks?)$/i;

/**
 * The blueprint that a repository's files suggest. Pure over the reader: nothing is ever run, and no word of the
 * repository goes into a command; only names that this program knows do.
 */
export async function detect(repository: RepositoryReader): Promise<Detected> {
  const root = placeOf(repository, '.');
  const parts: Part[] = [];
  for (const [, detector, manifests] of detectors) {
    const atRoot = await detector(root);
    if (atRoot !== null) parts.push(atRoot);
    if (atRoot !== null && hasTest([atRoot])) continue;
    for (const directory of directoriesWith(repository.files, manifests)) {
      const found = await detector(placeOf(repository, directory));
      if (found !== null && found.checks.length > 0) parts.push(found);
    }
  }
  const make = hasTest(parts) ? null : await detectMake(root);
  if (make !== null && make.checks.length > 0) return joined(withMake(parts, make));
  return joined(parts);
}

function hasTest(parts: readonly Part[]): boolean {
  return parts.some((part) => part.checks.some((check) => check.kind === 'test'));
}

/** The makefile is the entry where nothing else knows how to test; its own setup replaces what was guessed. */
function withMake(parts: readonly Part[], make: Part): Part[] {
  const kinds = new Set(make.checks.map((check) => check.name));
  const rest = parts.map((part) => ({
    ...part,
    setup: make.setup.length > 0 ? [] : part.setup,
    checks: part.checks.filter((check) => !kinds.has(check.name)),
  }));
  return [...rest, make];
}

function directoriesWith(files: readonly string[], manifests: readonly string[]): string[] {
  const directories = new Set<string>();
  for (const file of files) {
    const parts = file.split('/');
    const name = parts.pop()!;
    if (parts.length === 0 || parts.length > maxDepth || !manifests.includes(name)) continue;
    if (parts.some((part) => notOwn.test(part) || part === '')) continue;
    directories.add(parts.join('/'));
  }
  const outer = [...directories].filter(
    (directory) => ![...directories].some((other) => directory.startsWith(`${other}/`)),
  );
  return outer.sort().slice(0, maxDirectories);
}

function joined(parts: readonly Part[]): Detected {
  const useful = parts.filter((part) => part.checks.length > 0 || part.setup.length > 0);
  const several = useful.filter((part) => part.checks.length > 0).length > 1;
  const checks: CheckInput[] = [];
  const names = new Set<string>();
  for (const part of useful) {
    for (const check of part.checks) {
      const name = unique(several ? `${prefixOf(part)}-${check.name}` : check.name, names);
      names.add(name);
      checks.push({ ...check, name });
    }
  }
  const notes = parts.flatMap((part) =>
    part.notes.map((note) => (part.directory === '.' ? note : `${part.directory}: ${note}`)),
  );
  if (checks.length === 0) {
    notes.push(
      'No checks are known for this repository; name them in .berth/blueprint.yaml to have changes verified.',
    );
  } else if (!hasTest(useful)) {
    notes.push('No tests were found; only the checks named here are run.');
  }
  return {
    blueprint: blueprintSchema.parse({
      version: 1,
      name: 'detected',
      setup: useful.flatMap((part) => part.setup),
      checks,
    }),
    ecosystems: [...new Set(useful.map((part) => part.ecosystem))],
    notes,
  };
}

function prefixOf(part: Part): string {
  if (part.directory === '.') return part.ecosystem;
  const slug = part.directory
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .replaceAll(/^-+|-+$/g, '')
    .slice(0, 30);
  return slug === '' ? part.ecosystem : slug;
}

function unique(name: string, taken: ReadonlySet<string>): string {
  let candidate = name;
  for (let n = 2; taken.has(candidate); n += 1) candidate = `${name}-${n}`;
  return candidate;
}
