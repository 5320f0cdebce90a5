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
  if (linkReachesGit(target)) return true;
  const text = Buffer.from(target).toString('latin1');
  if (text === '' || text.startsWith('/') || text.includes('\0') || /^[A-Za-z]:|^\\/.test(text)) return true;
  let depth = Buffer.from(path).toString('latin1').split('/').length - 1;
  for (const part of text.split(/[/\\]/)) {
    if (part === '..') depth -= 1;
    else if (part !== '' && part !== '.') depth += 1;
    if (depth < 0) return true;
  }
  return false;
}

/** Whether a symbolic link leads into git's own files, or is no path at all. */
export function linkReachesGit(target: Uint8Array): boolean {
  const text = Buffer.from(target).toString('latin1');
  return text === '' || text.includes('\0') || text.split(/[/\\]/).some(isDotGit);
}

/** One piece of a pattern: a character, or what stands for any number of them. */
type GlobToken = { readonly text: string } | { readonly any: 'one' | 'within' | 'across' | 'folders' };

/** Letters of either case as one, also where two small ones share a capital. */
function folded(text: string): string {
  return text.toUpperCase().toLowerCase();
}

function globTokens(glob: string): GlobToken[] {
  const tokens: GlobToken[] = [];
  const characters = Array.from(folded(glob).replace(/\/$/, ''));
  for (let at = 0; at < characters.length; at += 1) {
    const character = characters[at]!;
    if (character === '?') tokens.push({ any: 'one' });
    else if (character !== '*') tokens.push({ text: character });
    else if (characters[at + 1] !== '*') tokens.push({ any: 'within' });
    else if (characters[at + 2] === '/') {
      tokens.push({ any: 'folders' });
      at += 2;
    } else {
      tokens.push({ any: 'across' });
      at += 1;
    }
  }
  return tokens;
}

/**
 * Whether a glob names a path or a folder above it. All ways to match are followed at once, a character at a time:
 * a regular expression would try them one after the other, and take hours for a pattern that is made for it.
 */
function globMatches(tokens: readonly GlobToken[], path: string): boolean {
  const end = 2 * tokens.length;
  let states = new Set<number>();
  // Even: before token n. Odd: within the folders that token n stands for.
  const enter = (into: Set<number>, place: number): void => {
    for (let at = place; !into.has(2 * at); at += 1) {
      into.add(2 * at);
      const token = tokens[at];
      // Stands for nothing, too.
      if (token === undefined || !('any' in token) || token.any === 'one') return;
    }
  };
  enter(states, 0);
  for (const character of Array.from(folded(path))) {
    // A pattern also protects everything below what it names.
    if (character === '/' && states.has(end)) return true;
    const next = new Set<number>();
    for (const state of states) {
      const place = state >> 1;
      const token = tokens[place];
      if (token === undefined) continue;
      if ('text' in token) {
        if (token.text === character) enter(next, place + 1);
      } else if (token.any === 'one') {
        if (character !== '/') enter(next, place + 1);
      } else if (token.any === 'folders') {
        next.add(2 * place + 1);
        if (character === '/') enter(next, place + 1);
      } else if (token.any === 'across' || character !== '/') enter(next, place);
    }
    if (next.size === 0) return false;
    states = next;
  }
  return states.has(end);
}

/**
 * The first of `patterns` (`*` within a folder, `**` across, a folder protects what lies in it; letters of
 * either case) that a path matches, or null.
 */
export function protectedBy(path: string, patterns: readonly string[]): string | null {
  return patterns.find((pattern) => globMatches(globTokens(pattern.replace(/^\/+/, '')), path)) ?? null;
}

/** Steers Berth itself: never changed by a run. */
export const alwaysProtected: readonly string[] = ['.berth'];
