import type { Readable } from 'node:stream';
import type Docker from 'dockerode';
import { BerthError } from '../../domain/errors/index.ts';
import { authorityFiles } from '../local/etc-files.ts';
import { engineSentence, engineStatus, orAbort, type Engine } from './engine.ts';

/** An image as a sandbox uses it: one for ever, whatever happens to its name. */
export interface SandboxImage {
  /** The engine's id (`sha256:…`): a digest of the whole image. */
  readonly id: string;
  /** The registry's digest (`name@sha256:…`), or null for an image that was never in one. */
  readonly digest: string | null;
  readonly env: Readonly<Record<string, string>>;
  /** The image's own lists of users and groups; empty when it has none. */
  readonly passwd: string;
  readonly group: string;
  /** The file in which it keeps its certificate authorities; null: it has none. */
  readonly authorities: { readonly path: string; readonly pem: string } | null;
  /** Services need none; commands do. */
  readonly hasShell: boolean;
  /** Whom its own first program is meant to be (`Config.User`); empty for root. */
  readonly user: string;
  /** Directories that it declares as data of its own (`Config.Volumes`). */
  readonly volumes: readonly string[];
}

const architectures: Readonly<Record<string, string>> = { x64: 'amd64', arm64: 'arm64' };
/** Longest wait for an engine that is busy. */
const describeMs = 60_000;
/** Longest wait for a registry. */
const pullMs = 15 * 60_000;

/**
 * The image behind a name: the one the engine has, otherwise the registry's.
 * @throws BerthError `SANDBOX_IMAGE`
 */
export async function resolveImage(
  engine: Engine,
  name: string,
  signal: AbortSignal,
): Promise<{ readonly id: string; readonly digest: string | null }> {
  const found = (await inspect(engine, name, signal)) ?? (await pull(engine, name, signal));
  const wanted = architectures[process.arch] ?? process.arch;
  if (found.Architecture !== wanted)
    throw new BerthError(
      'SANDBOX_IMAGE',
      `The image ${name} is for the processor ${found.Architecture}; this machine has ${wanted}.`,
    );
  return { id: withAlgorithm(found.Id), digest: found.RepoDigests?.[0] ?? null };
}

/** Reads of an image what a sandbox needs to know; by its id, so that it can be kept. */
export async function describeImage(
  engine: Engine,
  image: { readonly id: string; readonly digest: string | null },
): Promise<SandboxImage> {
  const found = await inspect(engine, image.id, AbortSignal.timeout(describeMs));
  if (found === null)
    throw new BerthError('SANDBOX_IMAGE', `The image ${image.id} was removed from the engine.`);
  const env: Record<string, string> = {};
  for (const entry of found.Config.Env ?? []) {
    const at = entry.indexOf('=');
    if (at > 0) env[entry.slice(0, at)] = entry.slice(at + 1);
  }
  // Only a container has files that can be asked for. It is never started.
  const container = await engine.docker.createContainer({
    Image: image.id,
    Entrypoint: ['/never-started'],
    HostConfig: { NetworkMode: 'none' },
  });
  try {
    const [passwd, group] = [
      await readFile(container, '/etc/passwd'),
      await readFile(container, '/etc/group'),
    ];
    const { User: user, Volumes: volumes } = found.Config;
    const authorities = await authoritiesIn(container);
    const hasShell = await isThere(container, '/bin/sh');
    return {
      ...image,
      env,
      passwd,
      group,
      authorities,
      hasShell,
      user: user ?? '',
      volumes: Object.keys(volumes ?? {}),
    };
  } finally {
    await container.remove({ force: true }).catch(() => undefined);
  }
}

async function isThere(container: Docker.Container, path: string): Promise<boolean> {
  try {
    // The answer to HEAD has no body, and keeps its connection until somebody has seen that.
    const answer = (await container.infoArchive({ path })) as Readable;
    answer.resume();
    return true;
  } catch (error) {
    if (engineStatus(error) === 404) return false;
    throw error;
  }
}

async function authoritiesIn(container: Docker.Container): Promise<SandboxImage['authorities']> {
  for (const path of authorityFiles) {
    const pem = await readFile(container, path);
    if (pem.includes('-----BEGIN CERTIFICATE-----')) return { path, pem };
  }
  return null;
}

/** Podman leaves the algorithm out of ids in some answers. */
const withAlgorithm = (id: string): string => (id.includes(':') ? id : `sha256:${id}`);

async function inspect(
  engine: Engine,
  name: string,
  signal: AbortSignal,
): Promise<Docker.ImageInspectInfo | null> {
  try {
    return await orAbort(engine.docker.getImage(name).inspect(), signal);
  } catch (error) {
    signal.throwIfAborted();
    if (engineStatus(error) === 404) return null;
    throw error;
  }
}

async function pull(engine: Engine, name: string, signal: AbortSignal): Promise<Docker.ImageInspectInfo> {
  try {
    const abortSignal = AbortSignal.any([signal, AbortSignal.timeout(pullMs)]);
    const stream = await engine.docker.pull(name, { abortSignal });
    await new Promise<void>((resolve, reject) => {
      engine.docker.modem.followProgress(stream, (error, steps) => {
        const failed = error?.message ?? steps?.find((step: { error?: string }) => step.error)?.error;
        if (failed === undefined) resolve();
        else reject(new Error(String(failed)));
      });
    });
  } catch (error) {
    signal.throwIfAborted();
    throw new BerthError('SANDBOX_IMAGE', `The image ${name} cannot be had: ${engineSentence(error)}.`, {
      cause: error,
    });
  }
  const found = await inspect(engine, name, signal);
  if (found === null)
    throw new BerthError('SANDBOX_IMAGE', `The image ${name} is not there after it was fetched.`);
  return found;
}

/** Larger lists of users are not an image's own. */
const longestFile = 1024 * 1024;

/** A file of a container as text; empty when it has none. */
export async function readFile(container: Docker.Container, path: string): Promise<string> {
  try {
    const parts: Buffer[] = [];
    let bytes = 0;
    for await (const part of await container.getArchive({ path })) {
      parts.push(Buffer.from(part));
      bytes += part.length;
      if (bytes > longestFile) return '';
    }
    return firstFile(Buffer.concat(parts));
  } catch (error) {
    if (engineStatus(error) === null) throw error;
    return '';
  }
}

/** The contents of the first plain file of a tar archive: a header of 512 bytes with its size in octal at 124. */
export function firstFile(archive: Buffer): string {
  const header = archive.subarray(0, 512);
  const type = String.fromCharCode(header[156] ?? 0);
  const bytes = Number.parseInt(header.toString('latin1', 124, 136), 8);
  if (!['0', '\0'].includes(type) || Number.isNaN(bytes)) return '';
  return archive.toString('utf8', 512, 512 + bytes);
}
