import { existsSync, mkdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { runnerArgv, sandboxdArgv, sandboxdBundle } from '@berth/sandboxd';
import { rgPath } from '@vscode/ripgrep';
import type { SandboxSpec } from '../../domain/ports/sandbox.ts';
import { registryEnv, type EcosystemSource } from '../../egress/index.ts';
import { createCgroups, type CgroupPlan } from '../local/cgroups.ts';
import { makeDiskImage } from '../local/disk-image.ts';
import { sandboxEnvironment } from '../local/environment.ts';
import { authorityFile, hostEtcBinds, insideHome, ownEtcFiles } from '../local/etc-files.ts';
import { isReachableByAll, placeProgram, systemBinds } from './host-files.ts';
import type { Host } from './host.ts';
import { claimUid } from '../local/identity.ts';
import { launchArgv, type Identity } from './launch.ts';
import { type Place, type PlaceRecord, workerSocket } from '../local/place.ts';
import { programPath, startSandboxd } from '../local/start-sandboxd.ts';
import { insideProxyPort, insideSocketDirectory, insideTools } from '../local/inside.ts';
import { bubblewrapArgs, ownProcesses, resourceLimitArgv } from './plan.ts';
import { findToolchains, hasProgram, type Bind } from './toolchains.ts';

export interface StartOptions {
  readonly spec: SandboxSpec;
  readonly place: Place;
  readonly host: Host;
  readonly stateDirectory: string;
  readonly ecosystems: EcosystemSource;
  /** The worker's PATH, for its tool chains. */
  readonly pathVariable: string;
  readonly idleMinutes: number;
  readonly createdMs: number;
  readonly signal: AbortSignal;
}

/** Makes everything of a sandbox on this machine and starts sandboxd, which starts the rest. */
export async function startSandbox(options: StartOptions): Promise<PlaceRecord> {
  const { spec, place, host, signal } = options;
  const registries = registryEnv(options.ecosystems);
  const bundle = await sandboxdBundle();
  place.make();
  const socketDirectory = place.makeSocketDirectory();
  const identity: Identity = host.isRoot
    ? { kind: 'dedicated', uid: claimUid(place.directory) }
    : { kind: 'self' };
  const uid = identity.kind === 'dedicated' ? identity.uid : null;
  let record: PlaceRecord = {
    id: spec.id,
    runId: spec.runId,
    createdMs: options.createdMs,
    bootId: null,
    sandboxd: null,
    uid,
    cgroups: [],
    socketDirectory,
  };
  // Before anything that has to be taken back: whoever finds this directory can clean up.
  place.write(record);
  const limits = { ...spec.limits, processes: spec.limits.processes + ownProcesses };
  const cgroups = createCgroups(host.cgroups, spec.id, limits);
  record = { ...record, cgroups: [...cgroups.directories] };
  place.write(record);
  if (uid !== null && host.noDiskImages === null)
    await makeDiskImage(place.image, spec.limits.diskBytes, uid, signal);
  else place.makePlainDisk(uid);

  const inside = prepareInside(options, identity, cgroups, bundle.runner, await registries);
  writeFileSync(place.path('bwrap.args'), `${inside.args.join('\0')}\0`, { mode: 0o600 });
  writeFileSync(place.path('filter.bpf'), host.filter!, { mode: 0o600 });
  writeFileSync(
    place.path('runner.json'),
    JSON.stringify({
      argv: inside.argv,
      env: { PATH: programPath },
      files: [place.path('filter.bpf'), place.path('bwrap.args')],
    }),
    { mode: 0o600 },
  );
  const sandboxd = await startSandboxd(
    sandboxdArgv({
      node: process.execPath,
      bundle: bundle.sandboxd,
      sandboxId: spec.id,
      workerSocket: workerSocket(record),
      runnerSocket: join(socketDirectory, 'r', 'runner.sock'),
      spoolDirectory: place.path('spool'),
      ...(cgroups.oomCounterFile === null
        ? { oomCounterFile: place.path('oom'), memoryLimitBytes: spec.limits.memoryBytes }
        : { oomCounterFile: cgroups.oomCounterFile }),
      runnerFile: place.path('runner.json'),
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

/** Everything inside: mounts, environment, limits, program. */
function prepareInside(
  { spec, place, host, stateDirectory, pathVariable }: StartOptions,
  identity: Identity,
  cgroups: CgroupPlan,
  runnerBundle: string,
  registries: Readonly<Record<string, string>>,
): { readonly args: readonly string[]; readonly argv: readonly string[] } {
  const isDedicated = identity.kind === 'dedicated';
  const program = (source: string): string =>
    isDedicated ? placeProgram(source, join(stateDirectory, 'tools')) : source;
  const toolchains = findToolchains(pathVariable);
  const system = systemBinds();
  const node = `${insideTools}/runner/node`;
  const runner = `${insideTools}/runner/runner.mjs`;
  const wanted: Bind[] = [
    ...Object.keys(ownEtcFiles).map((name) => ({ source: place.path('etc', name), target: `/etc/${name}` })),
    ...hostEtcBinds(),
    ...toolchains.binds,
    { source: program(process.execPath), target: node },
    { source: program(runnerBundle), target: runner },
    { source: program(rgPath), target: `${insideTools}/bin/rg` },
  ];
  if (!hasProgram('node', toolchains.path))
    wanted.push({ source: wanted.at(-3)!.source, target: `${insideTools}/bin/node` });
  // What a sandbox's uid cannot walk to is bound by root to a place where it can, in the sandbox's own mount namespace.
  const staged: Bind[] = [];
  const readOnly = wanted.map((bind, index) => {
    if (!isDedicated || isReachableByAll(bind.source)) return bind;
    const target = place.path('mnt', String(index));
    if (statSync(bind.source).isDirectory()) mkdirSync(target, { mode: 0o711 });
    else writeFileSync(target, '');
    staged.push({ source: bind.source, target });
    return { source: target, target: bind.target };
  });
  const hasImage = existsSync(place.image);
  const args = bubblewrapArgs({
    links: system.links,
    readOnly: [...system.binds, ...readOnly],
    masked: system.masked,
    disk: place.disk,
    socketDirectory: join(place.read()!.socketDirectory, 'r'),
    env: sandboxEnvironment({ programs: toolchains, registries, caFile: authorityFile(), spec: spec.env }),
    limits: spec.limits,
  });
  const hasMemory = cgroups.oomCounterFile !== null;
  const start = launchArgv(
    {
      identity,
      ...(hasImage
        ? {
            image: {
              file: place.image,
              mountPoint: place.path('disk'),
              directories: Object.values(place.disk),
            },
          }
        : {}),
      binds: staged,
      cgroupFiles: cgroups.joinFiles,
    },
    ['bwrap', '--args', '4', '--setenv', 'BERTH_GENERATION', '{generation}', '--'],
  );
  return {
    args,
    argv: [
      ...start,
      ...resourceLimitArgv(spec.limits, host.hard, hasMemory),
      ...runnerArgv({
        node,
        bundle: runner,
        sandboxId: spec.id,
        socket: `${insideSocketDirectory}/runner.sock`,
        egressPort: insideProxyPort,
        diskRoots: ['/workspace', insideHome, '/tmp'],
      }),
    ],
  };
}
