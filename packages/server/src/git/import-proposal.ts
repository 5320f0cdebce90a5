import { randomUUID } from 'node:crypto';
import { copyFile, mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { BerthError } from '../domain/errors/index.ts';
import { git, gitText, GitFailure } from './git-process.ts';
import type { ProcessLimits } from './git-process.ts';
import { withMirrorLock } from './mirror.ts';
import type { Mirror } from './mirror.ts';
import { objectSizes } from './object-reader.ts';
import type { ObjectPlace } from './object-reader.ts';
import { commitProposal } from './proposal-commit.ts';
import { judgeProposal } from './proposal-policy.ts';
import type { Finding } from './finding.ts';
import { defaultProposalPolicy, type ProposalPolicy } from '../domain/proposal-policy.ts';
import type { CommitMaker, CoAuthor } from './proposal-commit.ts';
import { rawChanges } from './tree-listing.ts';
import { diff, diffStat } from './diff.ts';
import type { DiffStat } from './diff.ts';

/** How large a change may be. */
export interface ProposalLimits {
  /** The pack as it arrives. */
  readonly packBytes: number;
  /** Objects in the pack, whatever they are. */
  readonly objects: number;
  /** Changed paths. */
  readonly files: number;
  /** One changed file. */
  readonly fileBytes: number;
  /** All changed files together. */
  readonly totalBytes: number;
}

export const defaultProposalLimits: ProposalLimits = {
  packBytes: 256 * 1024 * 1024,
  objects: 200_000,
  files: 5_000,
  fileBytes: 10 * 1024 * 1024,
  totalBytes: 100 * 1024 * 1024,
};

export interface ImportProposal {
  /** The pinned base commit. */
  readonly base: string;
  /** The tree the proposal must be. */
  readonly tree: string;
  /** The pack from the sandbox (a checkpoint's); hostile. */
  readonly pack: Uint8Array;
  readonly taskId: string;
  readonly runId: string;
  readonly title: string;
  /** Text of the commit below its title; may be empty. */
  readonly body: string;
  /** Time of the event that made the proposal, so that a repetition makes the same commit. */
  readonly atMs: number;
  /** The blueprint's and project's protected paths. */
  readonly protectedPaths: readonly string[];
  /** Values that must not leave (secrets forwarded to the run, and the worker's own). */
  readonly knownSecrets?: readonly string[];
  readonly limits?: Partial<ProposalLimits>;
  /** What the change may hold; absent: as policies are by default. */
  readonly policy?: ProposalPolicy;
  readonly coAuthors?: readonly CoAuthor[];
  /** Who commits and signs; absent: Berth, unsigned. */
  readonly maker?: CommitMaker;
  readonly signal: AbortSignal;
}

/** What is asked of a tree before it becomes a commit, wherever it comes from. */
export type AcceptTree = Omit<ImportProposal, 'pack'>;

export interface Proposal {
  readonly commit: string;
  readonly tree: string;
  readonly base: string;
  readonly stat: DiffStat;
  /** Policy results. Push only when `blockingFinding` answers null. */
  readonly findings: readonly Finding[];
}

/** A process that touches bytes from a sandbox: killed by the kernel before it harms its host. */
const hostileLimits: ProcessLimits = {
  memoryBytes: 1536 * 1024 * 1024,
  cpuSeconds: 60,
  fileBytes: 2 * 1024 * 1024 * 1024,
};

function invalid(why: string, cause?: unknown): BerthError {
  return new BerthError('PROPOSAL_INVALID', `The change that left the sandbox is not valid: ${why}.`, {
    ...(cause === undefined ? {} : { cause }),
    details: cause instanceof GitFailure ? { said: cause.stderr.slice(-2_000) } : {},
  });
}

function checkHeader(pack: Uint8Array, limits: ProposalLimits): void {
  if (pack.length > limits.packBytes) {
    throw new BerthError(
      'PROPOSAL_TOO_LARGE',
      `The change is a pack of ${pack.length} bytes; at most ${limits.packBytes} are accepted.`,
    );
  }
  const header = Buffer.from(pack.buffer, pack.byteOffset, Math.min(12, pack.length));
  if (header.length < 12 || header.toString('latin1', 0, 4) !== 'PACK') throw invalid('it is no pack');
  const objects = header.readUInt32BE(8);
  if (objects > limits.objects) {
    throw new BerthError(
      'PROPOSAL_TOO_LARGE',
      `The change has ${objects} objects; at most ${limits.objects} are accepted.`,
    );
  }
}

/**
 * Takes a change out of a sandbox. Everything about it is checked in a quarantine by git processes without
 * keys, with the kernel's limits on memory, time and file size; only then does Berth make the commit itself and
 * move exactly its objects into the mirror. Repeating it with the same request gives the same commit.
 *
 * @throws BerthError `PROPOSAL_INVALID`, `PROPOSAL_EMPTY`, `PROPOSAL_TOO_LARGE`, `PROPOSAL_PATH_REFUSED`,
 *   `PROPOSAL_SYMLINK_REFUSED`, `PROPOSAL_SUBMODULE_REFUSED`; what a policy must weigh comes back as findings
 */
export async function importProposal(mirror: Mirror, request: ImportProposal): Promise<Proposal> {
  const limits = { ...defaultProposalLimits, ...request.limits };
  return inQuarantine(mirror, { ...request, limits }, (place) => acceptTree(mirror, place, request));
}

/** Checks a tree that is in a quarantine, makes its commit and moves that into the mirror. */
export async function acceptTree(mirror: Mirror, place: ObjectPlace, request: AcceptTree): Promise<Proposal> {
  const limits = { ...defaultProposalLimits, ...request.limits };
  const { signal, base, tree } = request;
  const changes = await changesOf(place, base, tree);
  if (changes.length === 0) throw new BerthError('PROPOSAL_EMPTY');
  if (changes.length > limits.files) {
    throw new BerthError(
      'PROPOSAL_TOO_LARGE',
      `The change touches ${changes.length} files; at most ${limits.files} are accepted.`,
    );
  }
  const findings = await judgeProposal(place, changes, {
    limits,
    protectedPaths: request.protectedPaths,
    knownSecrets: request.knownSecrets ?? [],
    policy: request.policy ?? defaultProposalPolicy,
    tree,
    title: request.title,
  });
  const commit = await commitProposal(place.directory, request);
  await migrate(mirror, place, commit, base);
  return { commit, tree, base, stat: await diffStat(mirror, base, commit, signal), findings };
}

/**
 * The difference that a checkpoint makes, whatever a proposal of it would be refused for: a person may look at all
 * of it. Nothing of it comes into the mirror. Empty: no change.
 *
 * @throws BerthError `PROPOSAL_INVALID`, `PROPOSAL_TOO_LARGE` (the pack itself)
 */
export async function diffOfCheckpoint(
  mirror: Mirror,
  request: Pick<ImportProposal, 'base' | 'tree' | 'pack' | 'signal'> & { readonly maxBytes: number },
): Promise<{ readonly text: string; readonly truncated: boolean }> {
  const { base, tree } = request;
  return inQuarantine(mirror, { ...request, limits: defaultProposalLimits }, async ({ directory }) =>
    diff({ ...mirror, directory }, `${base}^{tree}`, tree, request),
  );
}

/** Takes a pack apart in a directory of its own that sees the mirror's objects; removed afterwards. */
export async function inQuarantine<T>(
  mirror: Mirror,
  request: Pick<ImportProposal, 'base' | 'tree' | 'pack' | 'signal'> & {
    readonly limits: ProposalLimits;
    /** Another pack that is taken apart beside it. */
    readonly second?: Uint8Array;
  },
  work: (place: ObjectPlace) => Promise<T>,
): Promise<T> {
  const { base, tree, pack, second, limits, signal } = request;
  for (const id of [base, tree]) {
    if (!/^([0-9a-f]{40}|[0-9a-f]{64})$/.test(id)) throw invalid('it names no object');
  }
  checkHeader(pack, limits);
  if (second !== undefined) checkHeader(second, limits);
  return withQuarantine(mirror, base.length, signal, async (place) => {
    await index(place, pack, limits);
    if (second !== undefined) await index(place, second, limits);
    return work(place);
  });
}

/** A directory of its own for hostile objects, that sees the mirror's; removed afterwards. */
export async function withQuarantine<T>(
  mirror: Mirror,
  idLength: number,
  signal: AbortSignal,
  work: (place: ObjectPlace) => Promise<T>,
): Promise<T> {
  const quarantine = join(mirror.directory, 'berth-quarantine', randomUUID());
  try {
    await openQuarantine(mirror, quarantine, idLength, signal);
    return await work({ directory: quarantine, limits: hostileLimits, signal });
  } finally {
    await rm(quarantine, { recursive: true, force: true });
  }
}

async function openQuarantine(
  mirror: Mirror,
  quarantine: string,
  idLength: number,
  signal: AbortSignal,
): Promise<void> {
  await mkdir(quarantine, { recursive: true, mode: 0o700 });
  await git({
    args: [
      'init',
      '--quiet',
      '--bare',
      '--template=',
      `--object-format=${idLength === 64 ? 'sha256' : 'sha1'}`,
      quarantine,
    ],
    signal,
  });
  await mkdir(join(quarantine, 'objects/info'), { recursive: true });
  await writeFile(join(quarantine, 'objects/info/alternates'), `${join(mirror.directory, 'objects')}\n`);
  if (mirror.shallow) {
    const shallow = await gitText({
      args: ['rev-parse', '--path-format=absolute', '--git-path', 'shallow'],
      cwd: mirror.directory,
      signal,
    });
    await copyFile(shallow, join(quarantine, 'shallow'));
  }
}

async function index(place: ObjectPlace, pack: Uint8Array, limits: ProposalLimits): Promise<void> {
  try {
    await git({
      args: [
        'index-pack',
        '--stdin',
        '--strict=badFilemode=error',
        '--threads=1',
        `--max-input-size=${limits.packBytes}`,
      ],
      cwd: place.directory,
      input: pack,
      timeoutMs: 120_000,
      limits: hostileLimits,
      signal: place.signal,
    });
  } catch (error) {
    if (error instanceof GitFailure) throw invalid('git refused its objects', error);
    throw error;
  }
}

/** The changes of the tree against the base, every object reachable from it present and of its right kind. */
async function changesOf(place: ObjectPlace, base: string, tree: string) {
  const kinds = await objectSizes(place, [base, tree]);
  if (kinds.get(base)?.type !== 'commit') throw invalid('its base is not in the mirror');
  if (kinds.get(tree)?.type !== 'tree') throw invalid('the tree it names is not in it');
  try {
    await git({
      args: ['rev-list', '--objects', '--quiet', tree, '--not', `${base}^{tree}`, '--'],
      cwd: place.directory,
      timeoutMs: 120_000,
      limits: hostileLimits,
      signal: place.signal,
    });
    const { stdout } = await git({
      args: [
        'diff-tree',
        '-r',
        '-z',
        '--raw',
        '--no-renames',
        '--no-abbrev',
        '--no-ext-diff',
        `${base}^{tree}`,
        tree,
        '--',
      ],
      cwd: place.directory,
      timeoutMs: 120_000,
      maxOutputBytes: 64 * 1024 * 1024,
      limits: hostileLimits,
      signal: place.signal,
    });
    return rawChanges(stdout);
  } catch (error) {
    if (error instanceof GitFailure) throw invalid('objects of its tree are missing or broken', error);
    throw error;
  }
}

/** Moves the commit's own objects, and nothing else that was in the pack, into the mirror. */
async function migrate(mirror: Mirror, place: ObjectPlace, commit: string, base: string): Promise<void> {
  const file = join(place.directory, 'proposal.pack');
  await git({
    args: ['pack-objects', '--revs', '--stdout', '--quiet', '--delta-base-offset', '--threads=1'],
    cwd: place.directory,
    input: `${commit}\n^${base}\n`,
    outputFile: file,
    timeoutMs: 120_000,
    limits: hostileLimits,
    signal: place.signal,
  });
  await git({
    args: ['index-pack', '--stdin', '--strict', '--threads=1'],
    cwd: mirror.directory,
    inputFile: file,
    signal: place.signal,
    limits: hostileLimits,
  });
  await withMirrorLock(mirror.directory, place.signal, async () => {
    await git({
      args: ['update-ref', `refs/berth/proposals/${commit}`, commit],
      cwd: mirror.directory,
      signal: place.signal,
    });
  });
}
