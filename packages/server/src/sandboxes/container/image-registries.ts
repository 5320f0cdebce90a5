import { randomBytes } from 'node:crypto';
import { chmodSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { finished } from 'node:stream/promises';
import type Docker from 'dockerode';
import { ecosystems } from '../../domain/egress.ts';
import { createSandboxEcosystems, type AskSandbox, type EcosystemSource } from '../../egress/index.ts';
import { fetchText as fetchFromWorker } from '../../egress/index.ts';
import { insideTools, toolPaths } from '../tools/index.ts';
import { removeContainer } from './end.ts';
import { engineSentence, orAbort, type Engine } from './engine.ts';
import { copySettings } from './image-home.ts';
import type { SandboxImage } from './image.ts';
import { cleared, labels } from './plan.ts';

/** All questions to one image; about three seconds are usual. */
const askMs = 60_000;
/** One question: a tool that hangs has no answer. */
const oneMs = 15_000;
const maxAnswerBytes = 200_000;
const homeInside = '/opt/berth-home';
const emptyDirectory = '/workspace';

export interface AskedImage {
  readonly engine: Engine;
  readonly image: SandboxImage;
  readonly tools: string;
  readonly installation: string;
  /** Of the driver: for a copy of the image's settings, while it is asked. */
  readonly stateDirectory: string;
  readonly user: { readonly uid: number; readonly gid: number; readonly keepsUser: boolean };
}

/**
 * Where package tools fetch from in sandboxes of an image. What the image configures counts first; where it does not,
 * what the operator configured on the worker; and last the default that is built into the image's tools.
 *
 * Tools are asked in a container that is made for it and removed after it: nobody's repository was ever in it, it has no
 * network, no mount that can be written, and no root. So it does not matter what a sandbox did meanwhile, nor whether the
 * worker was started anew.
 */
export function createImageRegistries(
  worker: EcosystemSource,
): (asked: AskedImage) => Promise<EcosystemSource> {
  const answers = createSandboxEcosystems({
    // Loopback of an image's settings is the sandbox's own: the worker has nothing to look for there.
    fetchText: async (url) => (/^(localhost|127\.|\[)/.test(url.hostname) ? null : fetchFromWorker(url)),
  });
  const kept = new Map<string, Promise<EcosystemSource>>();
  return (asked) => {
    const { id } = asked.image;
    const known = kept.get(id);
    if (known !== undefined) return known;
    const source = askImage(asked, async (askTools) => {
      const where = { home: homeInside, signal: AbortSignal.timeout(askMs) };
      const configured = await answers.answers(`${id} configured`, ecosystems, askTools('configured'), where);
      const builtIn = await answers.answers(
        `${id} built in`,
        ['npm', 'pip', 'go'],
        askTools('built-in'),
        where,
      );
      return firstThatKnows(configured, worker, builtIn);
    });
    kept.set(id, source);
    source.catch(() => kept.delete(id));
    return source;
  };
}

/** For each ecosystem the facts of the first source that has any. */
export function firstThatKnows(
  configured: EcosystemSource,
  worker: EcosystemSource,
  builtIn: EcosystemSource,
): EcosystemSource {
  return {
    async facts(ecosystem) {
      const first = await configured.facts(ecosystem);
      if ((await first.hosts()).length > 0) return first;
      const [second, last] = [await worker.facts(ecosystem), await builtIn.facts(ecosystem)];
      return {
        env: Object.keys(second.env).length > 0 ? second.env : last.env,
        hosts: async () => {
          const found = await second.hosts();
          return found.length > 0 ? found : await last.hosts();
        },
      };
    },
  };
}

type Pass = 'configured' | 'built-in';

async function askImage<T>(
  asked: AskedImage,
  use: (tools: (pass: Pass) => AskSandbox) => Promise<T>,
): Promise<T> {
  const { engine, image } = asked;
  const id = `ask-${randomBytes(6).toString('hex')}`;
  const name = `berth-${asked.installation}-${id}`;
  const settings = join(asked.stateDirectory, 'asked', name);
  const [home, empty] = [join(settings, 'home'), join(settings, 'empty')];
  for (const directory of [home, empty]) mkdirSync(directory, { recursive: true, mode: 0o755 });
  for (const directory of [join(settings, '..'), settings]) chmodSync(directory, 0o711);
  try {
    const container = await engine.docker.createContainer({
      name,
      ...askOptions(asked, id, { home, empty }),
    });
    await copySettings(container, image, home);
    await container.start();
    const answer = await use((pass) => askIn(engine, container, image, pass));
    const { State } = await container.inspect();
    if (!State.Running) throw new Error('the container that was asked ended');
    return answer;
  } catch (error) {
    throw new Error(
      `The image ${image.digest ?? image.id} could not be asked for its registries: ${engineSentence(error)}`,
      {
        cause: error,
      },
    );
  } finally {
    await removeContainer(engine.docker, name).catch(() => undefined);
    rmSync(settings, { recursive: true, force: true });
  }
}

function askOptions(
  asked: AskedImage,
  id: string,
  { home, empty }: { home: string; empty: string },
): Docker.ContainerCreateOptions {
  const { engine, user } = asked;
  const bind = (Source: string, Target: string) =>
    ({ Type: 'bind', Source, Target, ReadOnly: true, BindOptions: { Propagation: 'rprivate' } }) as const;
  const tmpfs = 'rw,nosuid,nodev,noexec,size=16m,mode=1777';
  return {
    Image: asked.image.id,
    User: `${user.uid}:${user.gid}`,
    WorkingDir: emptyDirectory,
    Env: cleared.map((variable) => `${variable}=`),
    // It ends by itself, should nobody be left to remove it.
    Entrypoint: [toolPaths.node, '-e', `setTimeout(() => {}, ${2 * askMs})`],
    Cmd: [],
    Labels: { [labels.installation]: asked.installation, [labels.sandbox]: id, [labels.run]: '' },
    Healthcheck: { Test: ['NONE'] },
    StopTimeout: 0,
    HostConfig: {
      NetworkMode: 'none',
      IpcMode: 'private',
      ...(user.keepsUser ? { UsernsMode: 'keep-id' } : engine.remapsUsers ? { UsernsMode: 'host' } : {}),
      ReadonlyRootfs: true,
      Privileged: false,
      CapDrop: ['ALL'],
      SecurityOpt: ['no-new-privileges', ...(engine.labelsProcesses ? ['label=disable'] : [])],
      ...(engine.holds.processes ? { PidsLimit: 128 } : {}),
      ...(engine.holds.memory ? { Memory: 512 * 2 ** 20 } : {}),
      Tmpfs: { '/tmp': tmpfs },
      Mounts: [bind(asked.tools, insideTools), bind(home, homeInside), bind(empty, emptyDirectory)],
      LogConfig: { Type: 'none', Config: {} },
      RestartPolicy: { Name: 'no' },
    },
  };
}

function askIn(engine: Engine, container: Docker.Container, image: SandboxImage, pass: Pass): AskSandbox {
  const base = { HOME: homeInside, npm_config_cache: '/tmp/npm', npm_config_update_notifier: 'false' };
  const run = (argv: readonly string[], env: Readonly<Record<string, string>>, signal: AbortSignal) =>
    execIn(engine, container, argv, { ...base, ...env }, signal);
  return async (argv, signal) => {
    const [tool = ''] = argv;
    switch (tool) {
      // These two always answer: what they also say without any settings is nobody's configuration.
      case 'npm':
      case 'go': {
        const bare = await run(argv, withoutSettings, signal);
        if (pass === 'built-in' || bare === null) return bare;
        const said = await run(argv, {}, signal);
        return said === bare ? null : said;
      }
      case 'python3':
        if (argv.includes('config')) {
          if (pass === 'built-in') return null;
          const said = await run(argv, {}, signal);
          return said === null ? null : pipVariables(image.env) + said;
        }
        return pass === 'built-in' ? await run(argv, {}, signal) : null;
      default:
        return pass === 'built-in' ? null : await run(argv, {}, signal);
    }
  };
}

/** Empty variables count as unset for both tools. */
const withoutSettings = {
  HOME: '/nonexistent',
  npm_config_userconfig: '/dev/null',
  npm_config_globalconfig: '/dev/null',
  npm_config_registry: '',
  NPM_CONFIG_REGISTRY: '',
  GOENV: 'off',
  GOPROXY: '',
  GOSUMDB: '',
};

/** The image's variables for pip as `pip config list` writes settings; variables win over files. */
function pipVariables(env: Readonly<Record<string, string>>): string {
  const names = { PIP_INDEX_URL: 'index-url', PIP_EXTRA_INDEX_URL: 'extra-index-url' } as const;
  return Object.entries(names)
    .flatMap(([variable, name]) => {
      const value = env[variable];
      return value === undefined || /['\n\\]/.test(value) ? [] : [`global.${name}='${value}'\n`];
    })
    .join('');
}

/** Runs one command in it. @returns what it printed, or null when it failed, hung or is not there */
async function execIn(
  engine: Engine,
  container: Docker.Container,
  argv: readonly string[],
  env: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<string | null> {
  const soon = AbortSignal.any([signal, AbortSignal.timeout(oneMs)]);
  const work = async (): Promise<string | null> => {
    const exec = await container.exec({
      Cmd: [...argv],
      Env: Object.entries(env).map(([name, value]) => `${name}=${value}`),
      WorkingDir: emptyDirectory,
      AttachStdout: true,
      AttachStderr: true,
    });
    const stream = await exec.start({});
    const [out, err] = [new PassThrough(), new PassThrough().resume()];
    let text = '';
    out.on('data', (chunk: Buffer) => {
      if (text.length < maxAnswerBytes) text += chunk.toString();
    });
    engine.docker.modem.demuxStream(stream, out, err);
    const stop = (): void => void stream.destroy(new Error('it took too long'));
    soon.addEventListener('abort', stop, { once: true });
    await finished(stream, { writable: false }).finally(() => soon.removeEventListener('abort', stop));
    const { ExitCode } = await exec.inspect();
    return ExitCode === 0 ? text : null;
  };
  try {
    return await orAbort(work(), soon);
  } catch {
    signal.throwIfAborted();
    return null;
  }
}
