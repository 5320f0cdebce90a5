import { chmodSync, chownSync, existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { runnerEnvironment, sandboxdArgv, sandboxdBundle } from '@berth/sandboxd';
import { commandEnvironmentName, type ContainerProcessSpec } from '@berth/sandboxd';
import { BerthError } from '../../domain/errors/index.ts';
import type { SandboxSpec } from '../../domain/ports/sandbox.ts';
import {
  registryEnv,
  trustFileNames,
  type EcosystemSource,
  type EgressAuthority,
} from '../../egress/index.ts';
import { writeTrust } from '../local/authorities.ts';
import { sandboxEnvironment } from '../local/environment.ts';
import { systemAuthorities } from '../local/etc-files.ts';
import { claimUid } from '../local/identity.ts';
import { type Place, type PlaceRecord, workerSocket } from '../local/place.ts';
import { startSandboxd } from '../local/start-sandboxd.ts';
import { mountDisk } from './disk.ts';
import { engineSentence, engineStatus, type Engine } from './engine.ts';
import { writeEtc } from './etc.ts';
import type { ContainerIdentity } from './identity.ts';
import type { SandboxImage } from './image.ts';
import { containerOptions, insideFiles } from './plan.ts';
import { podmanProfile } from './seccomp.ts';
import { serviceHints } from './service-plan.ts';

export interface StartContainerOptions {
  readonly spec: SandboxSpec;
  readonly place: Place;
  readonly engine: Engine;
  readonly identity: ContainerIdentity;
  readonly image: SandboxImage;
  readonly installation: string;
  readonly containerName: string;
  /** From `toolsDirectory`. */
  readonly tools: string;
  readonly hard: { readonly openFiles: number; readonly processes: number };
  /** Null: disks are images of their own. Otherwise why not. */
  readonly noDiskImages: string | null;
  readonly ecosystems: EcosystemSource;
  /** Whom programs inside have to trust where the way out is read. */
  readonly authority: EgressAuthority;
  readonly idleMinutes: number;
  readonly createdMs: number;
  readonly signal: AbortSignal;
}

/** Makes everything of a sandbox on this machine and starts sandboxd, which starts the container. */
export async function startContainer(options: StartContainerOptions): Promise<PlaceRecord> {
  const { spec, place, engine, identity, image, signal } = options;
  const registries = registryEnv(options.ecosystems);
  const bundle = await sandboxdBundle();
  place.make();
  const socketDirectory = place.makeSocketDirectory();
  const dedicated = identity.kind === 'dedicated' ? claimUid(place.directory) : null;
  const user = userOf(identity, dedicated);
  let record: PlaceRecord = {
    id: spec.id,
    runId: spec.runId,
    createdMs: options.createdMs,
    bootId: null,
    sandboxd: null,
    uid: dedicated,
    cgroups: [],
    socketDirectory,
    container: { engine: engine.socketPath, name: options.containerName, image: image.digest ?? image.id },
  };
  // Before anything that has to be taken back: whoever finds this directory can clean up.
  place.write(record);
  if (dedicated !== null && options.noDiskImages === null)
    await mountDisk(place, spec.limits.diskBytes, dedicated, signal);
  else place.makePlainDisk(dedicated);

  const commands = commandEnvironment(spec, image, await registries);
  const runnerDirectory = join(socketDirectory, 'r');
  const services = spec.profile?.services ?? [];
  writeEtc(
    place,
    image,
    user,
    commands['PATH']!,
    services.map(({ name }) => name),
  );
  writeTrust(place, image.authorities?.pem ?? systemAuthorities(), options.authority);
  const environment = join(runnerDirectory, insideFiles.environment);
  writeFileSync(environment, `${runnerEnvironment(commands)[commandEnvironmentName]}\n`, { mode: 0o400 });
  if (dedicated !== null) chownSync(environment, dedicated, dedicated);
  chmodSync(runnerDirectory, 0o755);

  // Docker, from the oldest that is accepted, refuses what matters by itself.
  const seccompFile = engine.kind === 'podman' ? place.path('seccomp.json') : null;
  if (seccompFile !== null) writeFileSync(seccompFile, JSON.stringify(podmanProfile()), { mode: 0o600 });

  await create(
    engine,
    options.containerName,
    containerOptions({
      spec,
      installation: options.installation,
      imageId: image.id,
      engine,
      ...user,
      keepsUser: identity.kind === 'kept',
      isDedicated: dedicated !== null,
      hard: options.hard,
      seccompFile,
      tools: options.tools,
      socketDirectory: runnerDirectory,
      etc: place.path('etc'),
      trust: {
        directory: place.path('trust'),
        bundle: place.path('trust', trustFileNames.bundle),
        covers: image.authorities?.path ?? null,
      },
      disk: place.disk,
    }),
    spec,
    signal,
  );
  const container: ContainerProcessSpec = {
    engine: engine.socketPath,
    name: options.containerName,
    generationFile: join(runnerDirectory, insideFiles.generation),
    oomCounterLink: place.path('oom'),
  };
  writeFileSync(place.path('container.json'), JSON.stringify(container), { mode: 0o600 });
  const sandboxd = await startSandboxd(
    sandboxdArgv({
      node: process.execPath,
      bundle: bundle.sandboxd,
      sandboxId: spec.id,
      workerSocket: workerSocket(record),
      runnerSocket: join(runnerDirectory, 'runner.sock'),
      spoolDirectory: place.path('spool'),
      oomCounterFile: place.path('oom'),
      ...(engine.holds.memory ? {} : { memoryLimitBytes: spec.limits.memoryBytes }),
      containerFile: place.path('container.json'),
      idleMinutes: options.idleMinutes,
      ...(existsSync(place.image)
        ? {}
        : { disk: { paths: Object.values(place.disk), limitBytes: spec.limits.diskBytes } }),
    }),
    place.path('sandboxd.log'),
    signal,
  );
  record = { ...record, ...sandboxd };
  place.write(record);
  return record;
}

export function userOf(identity: ContainerIdentity, dedicated: number | null): { uid: number; gid: number } {
  switch (identity.kind) {
    case 'dedicated':
      return { uid: dedicated ?? 65_534, gid: dedicated ?? 65_534 };
    case 'self':
    case 'kept':
      return { uid: identity.uid, gid: identity.gid };
    case 'inner-root':
      return { uid: 0, gid: 0 };
  }
}

const standardPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** The image's variables, then what every sandbox has, then the spec's. */
function commandEnvironment(
  spec: SandboxSpec,
  image: SandboxImage,
  registries: Readonly<Record<string, string>>,
): Record<string, string> {
  const { PATH = standardPath, ...env } = image.env;
  return sandboxEnvironment({
    programs: { path: PATH.split(':').filter((directory) => directory !== ''), env },
    registries,
    spec: { ...serviceHints(spec.profile?.services ?? []), ...spec.env },
  });
}

/** @throws BerthError `SANDBOX_UNSUPPORTED` for a runtime the engine does not have, `SANDBOX_UNAVAILABLE` */
async function create(
  engine: Engine,
  name: string,
  options: ReturnType<typeof containerOptions>,
  spec: SandboxSpec,
  signal: AbortSignal,
): Promise<void> {
  try {
    // Waited for also after an abort: a container that comes to be later would be nobody's.
    const container = await engine.docker.createContainer({ name, ...options });
    signal.throwIfAborted();
    if (spec.profile?.runtime !== undefined) assertRuntime(await container.inspect(), spec.profile.runtime);
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof BerthError) throw error;
    const runtime = spec.profile?.runtime;
    const sentence = engineSentence(error);
    if (runtime !== undefined && engineStatus(error) !== null && sentence.includes('runtime'))
      throw unsupportedRuntime(runtime, sentence);
    throw new BerthError('SANDBOX_UNAVAILABLE', `The engine refused the container: ${sentence}.`, {
      cause: error,
    });
  }
}

/** Some engines ignore what they do not know: a weaker isolation than was asked for is refused. */
function assertRuntime(
  found: { readonly HostConfig: { readonly Runtime?: string | undefined }; readonly OCIRuntime?: string },
  wanted: string,
): void {
  const has = found.OCIRuntime ?? found.HostConfig.Runtime ?? 'its default';
  if (has === wanted || has.endsWith(`/${wanted}`)) return;
  throw unsupportedRuntime(wanted, `it would have been ${has}`);
}

function unsupportedRuntime(runtime: string, why: string): BerthError {
  return new BerthError(
    'SANDBOX_UNSUPPORTED',
    `The container engine does not run containers with the runtime ${runtime} (${why}).`,
  );
}
