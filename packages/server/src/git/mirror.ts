import { createHash, randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { BerthError } from '../domain/errors/index.ts';
import type { GitTarget } from '../domain/ports/forge.ts';
import { createBare, removeAbandoned, removeStaleLocks } from './bare-repository.ts';
import { withFileLock } from './file-lock.ts';
import { localUploadPack } from './git-environment.ts';
import { asGitError } from './git-failure.ts';
import { git, GitFailure, gitText } from './git-process.ts';
import type { GitCommand } from './git-process.ts';
import { countUncommitted, findLocalSource, makeShadow } from './local-source.ts';
import type { UncommittedChanges } from './local-source.ts';
import { parseAddress } from './repository-address.ts';
import type { RepositoryAddress } from './repository-address.ts';

/** Berth's own bare copy of a project's repository; everything on the host works on it alone. */
export interface Mirror {
  readonly directory: string;
  /** The source, as people see it (without credentials). */
  readonly source: string;
  /** Where HEAD of the source points; null branch when detached. */
  readonly head: { readonly branch: string | null; readonly commit: string | null };
  /** Set for a local working copy: what is not committed and so not part of any base. */
  readonly uncommitted: UncommittedChanges | null;
  /** The source itself has only part of its history. */
  readonly shallow: boolean;
}

export interface OpenProject {
  /** `$BERTH_HOME`. */
  readonly home: string;
  readonly repository: string;
  /** Where relative paths start; default the process's own. */
  readonly cwd?: string;
  readonly signal: AbortSignal;
  /** Use the operator's git configuration for fetching (credential helpers); default false. */
  readonly trustUserConfig?: boolean;
  /** Where it is fetched from, and with what, in place of its address and this account's own git configuration. */
  readonly target?: GitTarget | null;
  /** For the fetch; default 15 minutes. */
  readonly timeoutMs?: number;
}

interface Source {
  readonly url: string;
  readonly identity: string;
  readonly shown: string;
  readonly uncommitted: UncommittedChanges | null;
  /** Some of its objects are only on its own remote. */
  readonly partial: boolean;
  readonly command: Pick<GitCommand, 'transport' | 'trustUserConfig' | 'env'>;
  readonly far: readonly string[];
  readonly refspecs: readonly string[];
}

/** Temporary directories of a process that died are removed after a day. */
const abandonedMs = 24 * 60 * 60_000;

const refspecs = ['+refs/heads/*:refs/heads/*', '+refs/tags/*:refs/tags/*'];

async function locate(address: RepositoryAddress, shadow: string, options: OpenProject): Promise<Source> {
  if (address.kind === 'remote' && options.target != null) {
    const target = parseAddress(options.target.url, '/');
    if (target.kind === 'local') throw new BerthError('REPO_ADDRESS_INVALID');
    return {
      url: target.url,
      // The mirror is the repository's, whichever way it is fetched.
      identity: address.shown,
      shown: address.shown,
      uncommitted: null,
      partial: false,
      command: { transport: target.transport, env: options.target.env },
      far: [],
      refspecs,
    };
  }
  if (address.kind === 'remote') {
    return {
      url: address.url,
      identity: address.shown,
      shown: address.shown,
      uncommitted: null,
      partial: false,
      command: {
        transport: address.transport,
        ...(options.trustUserConfig === undefined ? {} : { trustUserConfig: options.trustUserConfig }),
      },
      far: [],
      refspecs,
    };
  }
  const local = await findLocalSource(address.path, options.signal);
  try {
    await makeShadow(local, shadow, options.signal);
    return {
      url: shadow,
      identity: local.commonDirectory,
      shown: local.path,
      // Counting is a courtesy: an index that cannot be read does not stop a run.
      uncommitted: await countUncommitted(local, shadow, options.signal).catch((error: unknown) => {
        if (error instanceof GitFailure) return null;
        throw error;
      }),
      partial: await isPartial(local.commonDirectory),
      command: { transport: 'file' },
      far: [`--upload-pack=${localUploadPack}`],
      refspecs: [...refspecs, '+refs/remotes/*:refs/remotes/*'],
    };
  } catch (error) {
    throw asGitError(error, local.path);
  }
}

async function isPartial(commonDirectory: string): Promise<boolean> {
  const packs = await readdir(join(commonDirectory, 'objects/pack')).catch(() => []);
  return packs.some((name) => name.endsWith('.promisor'));
}

/** Directory of the mirror of a source: readable name and a hash that keeps apart what looks alike. */
function mirrorDirectory(home: string, identity: string): string {
  const name = identity
    .replace(/\/?\.git\/?$/, '')
    .split(/[/:]/)
    .at(-1)!;
  const slug = name.replaceAll(/[^A-Za-z0-9._-]/g, '-').slice(0, 40);
  const hash = createHash('sha256').update(identity).digest('hex').slice(0, 16);
  return join(home, 'mirrors', `${slug === '' ? 'repository' : slug}-${hash}.git`);
}

interface Advertised {
  readonly branch: string | null;
  readonly head: string | null;
  readonly any: boolean;
  readonly idLength: number;
}

/** What the source offers, asked before anything is fetched. */
async function advertised(source: Source, signal: AbortSignal): Promise<Advertised> {
  const text = await gitText({
    args: ['ls-remote', '--symref', ...source.far, '--', source.url],
    ...source.command,
    signal,
    timeoutMs: 120_000,
    maxOutputBytes: 256 * 1024 * 1024,
  });
  const lines = text.split('\n').filter((line) => line !== '');
  const symref = lines.find((line) => line.startsWith('ref: ') && line.endsWith('\tHEAD'));
  const target = symref?.slice('ref: '.length, -'\tHEAD'.length) ?? null;
  const head = lines.find((line) => /^[0-9a-f]+\tHEAD$/.test(line))?.split('\t')[0] ?? null;
  const first = lines.find((line) => /^[0-9a-f]{40,64}\t/.test(line));
  return {
    branch: target?.startsWith('refs/heads/') === true ? target.slice('refs/heads/'.length) : null,
    head,
    any: first !== undefined,
    idLength: first?.split('\t')[0]!.length ?? 40,
  };
}

/**
 * Opens the mirror of a repository and brings it up to date. A local working copy is only read. Two processes
 * may do this at once.
 *
 * @throws BerthError `REPO_NOT_FOUND`, `REPO_NOT_A_REPOSITORY`, `REPO_EMPTY`, `REPO_PERMISSION_DENIED`,
 *   `REPO_AUTH_FAILED`, `REPO_UNREACHABLE`, `REPO_DAMAGED`, `REPO_ADDRESS_INVALID`, `GIT_TIMEOUT`, `GIT_FAILED`
 */
export async function openProject(options: OpenProject): Promise<Mirror> {
  const address = parseAddress(options.repository, options.cwd ?? process.cwd());
  const mirrors = join(options.home, 'mirrors');
  await mkdir(mirrors, { recursive: true, mode: 0o700 });
  await removeAbandoned(mirrors, 'shadow-', abandonedMs);
  const shadow = join(mirrors, `shadow-${randomUUID()}`);
  try {
    const source = await locate(address, shadow, options);
    return await refresh(source, mirrorDirectory(options.home, source.identity), options);
  } catch (error) {
    throw asGitError(error, address.shown);
  } finally {
    await rm(shadow, { recursive: true, force: true });
  }
}

async function refresh(source: Source, directory: string, options: OpenProject): Promise<Mirror> {
  const { signal } = options;
  const offer = await advertised(source, signal);
  if (!offer.any) throw new BerthError('REPO_EMPTY', `${source.shown} has no commits.`);
  await withMirrorLock(directory, signal, async () => {
    await createBare(directory, offer.idLength === 64 ? 'sha256' : 'sha1', signal);
    await removeStaleLocks(directory, 0);
    await removeAbandoned(join(directory, 'berth-quarantine'), '', abandonedMs);
    await fetchInto(directory, source, offer, options).catch((error: unknown) => {
      if (source.partial && error instanceof GitFailure) {
        throw new BerthError('REPO_PARTIAL', undefined, { cause: error, details: error.details });
      }
      throw error;
    });
  });
  return {
    directory,
    source: source.shown,
    head: { branch: offer.branch, commit: offer.head },
    uncommitted: source.uncommitted,
    shallow: await isShallow(directory, signal),
  };
}

async function isShallow(directory: string, signal: AbortSignal): Promise<boolean> {
  return (
    (await gitText({ args: ['rev-parse', '--is-shallow-repository'], cwd: directory, signal })) === 'true'
  );
}

/** Everything that moves refs of a mirror holds this lock, so that git's own lock files in it can only be stale. */
export async function withMirrorLock<T>(
  directory: string,
  signal: AbortSignal,
  work: () => Promise<T>,
): Promise<T> {
  return withFileLock(`${directory}.lock`, { timeoutMs: 20 * 60_000, signal }, work);
}

async function fetchInto(
  directory: string,
  source: Source,
  offer: Advertised,
  options: OpenProject,
): Promise<void> {
  const detached =
    offer.branch === null && offer.head !== null ? [`+HEAD:refs/berth/detached/${offer.head}`] : [];
  await git({
    args: [
      'fetch',
      '--quiet',
      '--force',
      '--prune',
      '--no-tags',
      '--no-auto-maintenance',
      '--no-write-fetch-head',
      '--no-recurse-submodules',
      '--update-shallow',
      ...source.far,
      '--',
      source.url,
      ...source.refspecs,
      ...detached,
    ],
    cwd: directory,
    ...source.command,
    signal: options.signal,
    timeoutMs: options.timeoutMs ?? 15 * 60_000,
  });
}

/**
 * The mirror as it was last fetched, without asking the source: for a run whose base was pinned before, when its
 * source has gone away since.
 * @returns null when this machine has no mirror of it.
 */
export async function reopenMirror(
  options: Pick<OpenProject, 'home' | 'repository' | 'cwd' | 'signal'>,
): Promise<Mirror | null> {
  const address = parseAddress(options.repository, options.cwd ?? process.cwd());
  // A working copy is known by its git directory, which is not there any more to ask.
  const identities = address.kind === 'remote' ? [address.shown] : [join(address.path, '.git'), address.path];
  const directory = identities
    .map((identity) => mirrorDirectory(options.home, identity))
    .find((path) => existsSync(join(path, 'HEAD')));
  if (directory === undefined) return null;
  const shallow = await isShallow(directory, options.signal);
  return {
    directory,
    source: address.shown,
    head: { branch: null, commit: null },
    uncommitted: null,
    shallow,
  };
}
