import { git } from './git-process.ts';
import type { Mirror } from './mirror.ts';
import { shownPath, splitNul } from './tree-listing.ts';

export interface FileStat {
  /** As shown: odd bytes and controls escaped. */
  readonly path: string;
  /** Null for binary files. */
  readonly added: number | null;
  readonly removed: number | null;
}

export interface DiffStat {
  readonly files: number;
  readonly added: number;
  readonly removed: number;
  /** At most the first 1,000. */
  readonly perFile: readonly FileStat[];
}

const diffArguments = ['--no-ext-diff', '--no-textconv', '--no-color', '--ignore-submodules=none'];

/** Lines added and removed between two commits or trees of the mirror. */
export async function diffStat(
  mirror: Mirror,
  from: string,
  to: string,
  signal: AbortSignal,
): Promise<DiffStat> {
  const { stdout } = await git({
    args: [
      'diff-tree',
      '-r',
      '-z',
      '--numstat',
      '--no-renames',
      ...diffArguments,
      '--end-of-options',
      from,
      to,
    ],
    cwd: mirror.directory,
    signal,
    maxOutputBytes: 64 * 1024 * 1024,
  });
  const perFile = splitNul(stdout).flatMap((line): FileStat[] => {
    const match = /^(\d+|-)\t(\d+|-)\t/.exec(line.subarray(0, 64).toString('latin1'));
    if (match === null) return [];
    const number = (text: string) => (text === '-' ? null : Number(text));
    return [
      {
        path: shownPath(line.subarray(match[0].length)),
        added: number(match[1]!),
        removed: number(match[2]!),
      },
    ];
  });
  const sum = (key: 'added' | 'removed') => perFile.reduce((total, file) => total + (file[key] ?? 0), 0);
  return {
    files: perFile.length,
    added: sum('added'),
    removed: sum('removed'),
    perFile: perFile.slice(0, 1_000),
  };
}

/**
 * The unified diff between two commits or trees, with renames found. Bytes of files are shown as UTF-8 with
 * replacement characters; terminals need the caller's own escaping of control characters.
 *
 * @returns text cut after the last whole line below `maxBytes` (default 1 MiB), and whether it was cut
 */
export async function diff(
  mirror: Mirror,
  from: string,
  to: string,
  options: { readonly signal: AbortSignal; readonly maxBytes?: number; readonly context?: number },
): Promise<{ readonly text: string; readonly truncated: boolean }> {
  const maxBytes = options.maxBytes ?? 1024 * 1024;
  const { stdout } = await git({
    args: [
      'diff-tree',
      '-r',
      '-p',
      '-M',
      '-l500',
      `--unified=${options.context ?? 3}`,
      '--src-prefix=a/',
      '--dst-prefix=b/',
      ...diffArguments,
      '--end-of-options',
      from,
      to,
    ],
    cwd: mirror.directory,
    signal: options.signal,
    maxOutputBytes: 256 * 1024 * 1024,
  });
  if (stdout.length <= maxBytes) return { text: stdout.toString('utf8'), truncated: false };
  const cut = stdout.lastIndexOf(10, maxBytes);
  return { text: stdout.subarray(0, cut + 1).toString('utf8'), truncated: true };
}
