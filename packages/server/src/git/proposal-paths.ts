import type { RawChange } from './tree-listing.ts';
import { shownPath, submoduleMode, symlinkMode } from './tree-listing.ts';

export type PathProblem =
  | { readonly kind: 'path'; readonly path: string; readonly why: string }
  | { readonly kind: 'submodule'; readonly path: string }
  | { readonly kind: 'mode'; readonly path: string; readonly why: string };

/** Longest path and deepest nesting a proposal may add; Linux itself ends at 4,096 bytes. */
const maxPathBytes = 1_024;
const maxDepth = 64;

/** Characters that HFS+ ignores in names, so that `.g\u200cit` is `.git` there. */
const ignoredOnHfs = /[\u200c-\u200f\u202a-\u202e\u206a-\u206f\ufeff]/gu;

/** Whether some file system would take `name` for `.git` (or its short name on NTFS). */
export function isDotGit(name: string): boolean {
  const folded = name.normalize('NFC').replaceAll(ignoredOnHfs, '').toLowerCase();
  // NTFS drops trailing spaces and dots, and reads `name:stream` as `name`.
  const ntfs = folded.split(':')[0]!.replace(/[ .]+$/, '');
  return ntfs === '.git' || /^git~\d+$/.test(ntfs) || folded === '.git';
}

/** Why a path may not be added by a proposal, or null. Git paths are bytes; any that are not UTF-8 are fine. */
export function pathProblem(path: Uint8Array): string | null {
  if (path.length === 0) return 'it is empty';
  if (path.length > maxPathBytes) return `it is longer than ${maxPathBytes} bytes`;
  if (path.some((byte) => byte < 0x20 || byte === 0x7f)) return 'it holds control characters';
  const text = Buffer.from(path).toString('utf8');
  if (text.startsWith('/') || /^[A-Za-z]:[\\/]/.test(text)) return 'it is absolute';
  const parts = text.split('/');
  if (parts.length > maxDepth) return `it is deeper than ${maxDepth} folders`;
  for (const part of parts) {
    if (part === '') return 'it has an empty part';
    if (part === '.' || part === '..') return `it has the part "${part}"`;
    // A backslash separates folders on Windows.
    if (part.split('\\').some((piece) => isDotGit(piece) || piece === '..'))
      return 'it reaches into git’s own files';
  }
  return null;
}

/** The problems of a proposal's changes. What the base already has, unchanged, is never looked at. */
export function changeProblems(changes: readonly RawChange[]): PathProblem[] {
  return changes.flatMap((change): PathProblem[] => {
    const path = shownPath(change.path);
    if (change.oldMode === submoduleMode || change.newMode === submoduleMode)
      return [{ kind: 'submodule', path }];
    if (change.status === 'D') return [];
    if (!['100644', '100755', symlinkMode].includes(change.newMode))
      return [{ kind: 'mode', path, why: `mode ${change.newMode}` }];
    const why = change.status === 'A' ? pathProblem(change.path) : null;
    return why === null ? [] : [{ kind: 'path', path, why }];
  });
}

/**
 * Whether a symbolic link leaves the repository, judged by its text alone: absolute, or with more `..` than
 * folders above it. Links through other links are judged each for itself.
 */
export function linkEscapes(path: Uint8Array, target: Uint8Array): boolean {
  const text = Buffer.from(target).toString('latin1');
  if (text === '' || text.startsWith('/') || text.includes('\0') || /^[A-Za-z]:|^\\/.test(text)) return true;
  let depth = Buffer.from(path).toString('latin1').split('/').length - 1;
  for (const part of text.split(/[/\\]/)) {
    if (part === '..') depth -= 1;
    else if (part !== '' && part !== '.') depth += 1;
    if (depth < 0) return true;
    if (isDotGit(part)) return true;
  }
  return false;
}

function globPattern(glob: string): RegExp {
  let source = '';
  for (let at = 0; at < glob.length; at += 1) {
    const rest = glob.slice(at);
    if (rest.startsWith('**/')) {
      source += '(?:.*/)?';
      at += 2;
    } else if (rest.startsWith('**')) {
      source += '.*';
      at += 1;
    } else if (rest.startsWith('*')) source += '[^/]*';
    else if (rest.startsWith('?')) source += '[^/]';
    else source += rest[0]!.replaceAll(/[\\^$.|+()[\]{}]/g, '\\$&');
  }
  // A pattern also protects everything below what it names.
  return new RegExp(`^${source.replace(/\/$/, '')}(?:/.*)?$`, 'isu');
}

/**
 * The first of `patterns` (`*` within a folder, `**` across, a folder protects what lies in it; letters of
 * either case) that a path matches, or null.
 */
export function protectedBy(path: string, patterns: readonly string[]): string | null {
  return patterns.find((pattern) => globPattern(pattern.replace(/^\/+/, '')).test(path)) ?? null;
}

/** Steers Berth itself: never changed by a run. */
export const alwaysProtected: readonly string[] = ['.berth'];

/** Executes with rights or secrets outside any sandbox once pushed or merged: a person looks first. */
export const needsAPerson: readonly string[] = [
  '.github/workflows',
  '.github/actions',
  '.github/CODEOWNERS',
  'CODEOWNERS',
  'docs/CODEOWNERS',
  '.gitlab-ci.yml',
  '.gitlab',
  '.circleci',
  '.buildkite',
  '.woodpecker',
  '.woodpecker.yml',
  '.drone.yml',
  '.travis.yml',
  '.forgejo/workflows',
  '.gitea/workflows',
  'bitbucket-pipelines.yml',
  'azure-pipelines.yml',
  'Jenkinsfile',
  '.gitmodules',
  '.gitattributes',
];
