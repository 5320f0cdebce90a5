import { withoutHidden } from '../../tools/clean-text.ts';

interface Directory {
  readonly directories: Map<string, Directory>;
  readonly files: string[];
  /** Files in it and below. */
  count: number;
}

const maxLines = 150;
const maxFilesShown = 12;
const maxNameCharacters = 80;

/**
 * A compact picture of the repository from its file list (`git ls-tree`): the upper levels with the number of
 * files, and files by name where they are few. Goes one level deeper as long as it fits; deterministic.
 */
export function repositoryMap(paths: readonly string[]): string {
  const root: Directory = { directories: new Map(), files: [], count: 0 };
  for (const path of [...paths].sort()) add(root, path.split('/'));
  let shown = draw(root, 1);
  for (let depth = 2; depth <= 12; depth++) {
    const deeper = draw(root, depth);
    if (deeper.length > maxLines || deeper.length === shown.length) break;
    shown = deeper;
  }
  const left = shown.length - maxLines;
  const lines = left > 0 ? [...shown.slice(0, maxLines), `[… ${left} more …]`] : shown;
  return lines.join('\n');
}

function add(root: Directory, names: readonly string[]): void {
  let at = root;
  at.count++;
  for (const name of names.slice(0, -1)) {
    let next = at.directories.get(name);
    if (next === undefined)
      at.directories.set(name, (next = { directories: new Map(), files: [], count: 0 }));
    at = next;
    at.count++;
  }
  at.files.push(names.at(-1)!);
}

function draw(directory: Directory, depth: number, indent = ''): string[] {
  const lines: string[] = [];
  for (const [name, child] of directory.directories) {
    lines.push(`${indent}${shownName(name)}/ (${child.count})`);
    if (depth > 1) lines.push(...draw(child, depth - 1, `${indent}  `));
  }
  const files = directory.files.slice(0, maxFilesShown).map((name) => `${indent}${shownName(name)}`);
  lines.push(...files);
  const left = directory.files.length - files.length;
  if (left > 0) lines.push(`${indent}… ${left} more files`);
  return lines;
}

function shownName(name: string): string {
  const clean = withoutHidden(name).replaceAll('\n', '\\n');
  return clean.length <= maxNameCharacters ? clean : `${clean.slice(0, maxNameCharacters)}…`;
}
