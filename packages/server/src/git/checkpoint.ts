import { BerthError } from '../domain/errors/index.ts';
import type { Sandbox } from '../domain/ports/sandbox.ts';
import { restoreScript, saveScript } from './checkpoint-scripts.ts';
import { runInSandbox } from './sandbox-script.ts';

/** Always left out, tracked files excepted: what package managers make again from a lock file. */
export const alwaysRecreated: readonly string[] = ['node_modules', '.venv', '__pycache__', '.pnpm-store'];
/** Left out where the repository ignores it: names that are ordinary source folders elsewhere. */
export const recreatedWhereIgnored: readonly string[] = [
  'venv',
  'target',
  'dist',
  'build',
  'out',
  'vendor',
  'coverage',
  '.cache',
  '.next',
  '.nuxt',
  '.turbo',
  '.gradle',
  '.tox',
  '.mypy_cache',
  '.pytest_cache',
  '.ruff_cache',
];

export interface SaveCheckpoint {
  /** Unique for each attempt. */
  readonly callId: string;
  /** The delivered commit. */
  readonly base: string;
  /** Of the delivered commit (`DeliveryPack.submodules`). */
  readonly submodules: readonly string[];
  /** More names of folders that `setup` makes again; left out where they are ignored. */
  readonly recreated?: readonly string[];
  readonly signal: AbortSignal;
  /** Default 2 minutes. */
  readonly timeoutMs?: number;
  /** Largest pack; default 256 MiB. */
  readonly maxBytes?: number;
}

export interface Checkpoint {
  /** Root of the checkpoint in the pack: what `restoreCheckpoint` needs. */
  readonly id: string;
  /** The working tree as it is, with small ignored files. */
  readonly tree: string;
  /** What a proposal would carry: without ignored files. */
  readonly proposalTree: string;
  /** Everything that the base commit does not hold. Hostile bytes. */
  readonly pack: Buffer;
  /** Of the proposal against its base, as the sandbox says; counted again when it is imported. */
  readonly files: number;
  readonly added: number;
  readonly removed: number;
  /** Ignored files above this size are not in it; 0: none is. */
  readonly ignoredLimitBytes: number;
  /** Untracked files too large for a checkpoint (above 100 MiB). */
  readonly largeFiles: number;
}

const mebibyte = 1024 * 1024;
const folderName = /^[A-Za-z0-9._@+-]{1,100}$/;

function field(lines: readonly string[], name: string): string {
  const prefix = `berth:${name} `;
  // The last one: what git and others said before it cannot stand in for it.
  return lines.findLast((line) => line.startsWith(prefix))?.slice(prefix.length) ?? '';
}

function objectId(text: string): string {
  if (!/^([0-9a-f]{40}|[0-9a-f]{64})$/.test(text)) throw new BerthError('CHECKPOINT_FAILED');
  return text;
}

function count(text: string, pattern: RegExp): number {
  return Number(pattern.exec(text)?.[1] ?? 0);
}

/**
 * Saves working tree, index, refs and unpushed objects of `/workspace/repo`. One at a time per sandbox. The
 * sandbox is hostile: what comes back may be invented, and is only ever given to a sandbox again
 * (`restoreCheckpoint`) or checked from the ground up (`importProposal`).
 *
 * Not kept: modification times, modes other than the executable bit, fifos and sockets, ignored files above
 * 1 MiB (or less, where they sum up to more than 50 MiB).
 *
 * @throws BerthError `CHECKPOINT_FAILED`, `CHECKPOINT_TOO_LARGE`, `SANDBOX_LOST`
 */
export async function saveCheckpoint(sandbox: Sandbox, request: SaveCheckpoint): Promise<Checkpoint> {
  const ignorable = [...recreatedWhereIgnored, ...(request.recreated ?? [])].filter((name) =>
    folderName.test(name),
  );
  const { stdout, stderr } = await runInSandbox(sandbox, {
    id: request.callId,
    script: saveScript,
    args: [
      objectId(request.base),
      String(100 * mebibyte),
      String(mebibyte),
      String(50 * mebibyte),
      alwaysRecreated.join(' '),
      ignorable.join(' '),
      ...request.submodules,
    ],
    cwd: 'repo',
    timeoutMs: request.timeoutMs ?? 120_000,
    maxOutputBytes: request.maxBytes ?? 256 * mebibyte,
    signal: request.signal,
    failure: { code: 'CHECKPOINT_FAILED', tooLarge: 'CHECKPOINT_TOO_LARGE' },
  });
  const lines = stderr.split('\n');
  const stat = field(lines, 'stat');
  return {
    id: objectId(field(lines, 'root')),
    tree: objectId(field(lines, 'tree')),
    proposalTree: objectId(field(lines, 'proposal')),
    pack: stdout,
    files: count(stat, /(\d+) files? changed/),
    added: count(stat, /(\d+) insertions?/),
    removed: count(stat, /(\d+) deletions?/),
    ignoredLimitBytes: count(field(lines, 'ignoredLimit'), /^(\d+)$/),
    largeFiles: count(field(lines, 'large'), /^(\d+)$/),
  };
}

export interface RestoreCheckpoint {
  readonly callId: string;
  /** `Checkpoint.id`. */
  readonly id: string;
  readonly pack: Uint8Array | AsyncIterable<Uint8Array>;
  readonly signal: AbortSignal;
  readonly timeoutMs?: number;
}

/**
 * Brings a sandbox into which the checkpoint's base was just delivered to the state of the checkpoint: working
 * tree, nested repositories, empty folders, index, refs and objects.
 *
 * @throws BerthError `CHECKPOINT_FAILED`, `SANDBOX_LOST`
 */
export async function restoreCheckpoint(sandbox: Sandbox, request: RestoreCheckpoint): Promise<void> {
  const place = '.berth-checkpoint.pack';
  await sandbox.write(place, request.pack, { signal: request.signal });
  await runInSandbox(sandbox, {
    id: request.callId,
    script: restoreScript,
    args: [objectId(request.id), place],
    cwd: 'repo',
    timeoutMs: request.timeoutMs ?? 120_000,
    maxOutputBytes: 64 * 1024,
    signal: request.signal,
    failure: { code: 'CHECKPOINT_FAILED', tooLarge: 'CHECKPOINT_FAILED' },
  });
}
