import { execFile } from 'node:child_process';
import { readFile, readdir } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import type { EgressRule } from '../domain/egress.ts';
import type { Ecosystem, EcosystemHosts } from './matching-rules.ts';
import { normalHost } from './hosts.ts';
import { mavenUrls } from './maven-settings.ts';

/** One place that an ecosystem's tool fetches from. */
export interface EcosystemHost {
  readonly host: string;
  readonly port: number;
  /** It was asked of the tools in a sandbox's image: loopback is not the worker's. */
  readonly insideSandbox?: true;
}

/** What the worker's own tools say about one ecosystem. */
export interface EcosystemFacts {
  /**
   * Where it fetches from. Asked when a policy names the ecosystem and not before: it may ask an index, which takes
   * seconds where the network has none.
   */
  readonly hosts: () => Promise<readonly EcosystemHost[]>;
  /** Settings for the same tool inside a sandbox; credentials are stripped. */
  readonly env: Readonly<Record<string, string>>;
}

const nothing: EcosystemFacts = { hosts: () => Promise.resolve([]), env: {} };

/** Runs a tool of the worker and returns what it prints, or null. Replaceable for tests. */
export type AskTool = (file: string, args: readonly string[]) => Promise<string | null>;

/** Reads settings where the tools are. Replaceable for tests, and for sandboxes. */
export interface LookAtFiles {
  /** Null where there is no such file. */
  read(path: string): Promise<string | null>;
  /** Names in a directory; none where there is no such directory. */
  list(directory: string): Promise<readonly string[]>;
}

/** Fetches a document as text, or null. Replaceable for tests. */
export type FetchText = (url: URL) => Promise<string | null>;

export interface EcosystemSource {
  /** Asked once per process and ecosystem, then remembered: an operator's registry does not move. */
  facts(ecosystem: Ecosystem): Promise<EcosystemFacts>;
}

/** Where the ecosystems that some rules name fetch from. */
export async function ecosystemHosts(
  source: EcosystemSource,
  rules: readonly EgressRule[],
): Promise<EcosystemHosts> {
  const wanted = new Set(rules.flatMap((rule) => ('ecosystem' in rule ? [rule.ecosystem] : [])));
  const found = [...wanted].map(async (ecosystem) => {
    const facts = await source.facts(ecosystem);
    return [ecosystem, await facts.hosts()] as const;
  });
  return new Map(await Promise.all(found));
}

/**
 * Finds the package registries by asking each tool's own configuration on the worker, so that mirrors and
 * private registries of the operator are used, and no registry's name is written down in Berth.
 */
export function createEcosystems(options: {
  readonly ask?: AskTool;
  readonly look?: LookAtFiles;
  /** The account's directory, where tools keep their settings. */
  readonly home?: string;
  readonly fetchText: FetchText;
  readonly env?: NodeJS.ProcessEnv;
}): EcosystemSource {
  const ask = options.ask ?? askTool;
  const look = options.look ?? lookHere;
  const home = options.home ?? homedir();
  const env = options.env ?? process.env;
  const known = new Map<Ecosystem, Promise<EcosystemFacts>>();
  const finders: Readonly<Record<Ecosystem, () => Promise<EcosystemFacts>>> = {
    npm: () => npmFacts(ask),
    pip: () => pipFacts(ask, options.fetchText, env),
    go: () => goFacts(ask),
    cargo: () => cargoFacts(look, options.fetchText, env['CARGO_HOME'] ?? join(home, '.cargo')),
    maven: () => mavenFacts(ask, look, home),
    apt: () => aptFacts(look),
  };
  return {
    facts(ecosystem) {
      const cached = known.get(ecosystem) ?? finders[ecosystem]().catch(() => nothing);
      known.set(ecosystem, cached);
      return cached;
    },
  };
}

async function npmFacts(ask: AskTool): Promise<EcosystemFacts> {
  const registry = urlOf(await ask('npm', ['config', 'get', 'registry']));
  if (registry === null) return nothing;
  const address = withoutCredentials(registry);
  return {
    hosts: () => Promise.resolve([hostOf(registry)]),
    env: {
      npm_config_registry: address,
      COREPACK_NPM_REGISTRY: address.replace(/\/$/, ''),
      YARN_NPM_REGISTRY_SERVER: address.replace(/\/$/, ''),
      YARN_REGISTRY: address,
    },
  };
}

async function pipFacts(ask: AskTool, fetchText: FetchText, env: NodeJS.ProcessEnv): Promise<EcosystemFacts> {
  const pip = (args: readonly string[]) => ask('python3', ['-m', 'pip', ...args]);
  const isTold = env['PIP_INDEX_URL'] !== undefined && env['PIP_EXTRA_INDEX_URL'] !== undefined;
  const settings = isTold ? '' : ((await pip(['config', 'list'])) ?? '');
  // Without a setting pip's built-in default counts, and its help text is where it tells it.
  const index =
    urlOf(env['PIP_INDEX_URL']) ??
    urlOf(pipSetting(settings, 'index-url')) ??
    urlOf(/\(default\s+(https?:\/\/[^\s)]+)\)/.exec((await pip(['download', '--help'])) ?? '')?.[1]);
  if (index === null) return nothing;
  const extras = (env['PIP_EXTRA_INDEX_URL'] ?? pipSetting(settings, 'extra-index-url') ?? '')
    .split(/\s+/)
    .map(urlOf)
    .filter((url) => url !== null);
  const indexes = [index, ...extras];
  const address = withoutCredentials(index);
  const more = extras.map(withoutCredentials).join(' ');
  return {
    hosts: once(async () => {
      const files = await Promise.all(indexes.map((each) => fileHosts(each, fetchText)));
      return unique([...indexes.map(hostOf), ...files.flat()]);
    }),
    env: {
      PIP_INDEX_URL: address,
      UV_DEFAULT_INDEX: address,
      ...(more === '' ? {} : { PIP_EXTRA_INDEX_URL: more, UV_INDEX: more }),
    },
  };
}

/** A setting in `pip config list`, which quotes as Python does: several lines become one with `\n` in it. */
function pipSetting(list: string, name: string): string | undefined {
  const [, , value] = new RegExp(`^global\\.${name}=(['"])(.*)\\1$`, 'm').exec(list) ?? [];
  return value?.replaceAll('\\n', ' ');
}

/** An index may keep its files on another host: it says so itself in every page, pip's own for example. */
async function fileHosts(index: URL, fetchText: FetchText): Promise<EcosystemHost[]> {
  const page = new URL(`${index.href.replace(/\/$/, '')}/pip/`);
  const text = (await fetchText(page)) ?? '';
  const hosts: EcosystemHost[] = [];
  for (const [, link] of text.slice(0, 200_000).matchAll(/(?:href=|"url":\s*)"(https?:\/\/[^"]+)"/g)) {
    const url = urlOf(link);
    if (url !== null) hosts.push(hostOf(url));
    if (hosts.length >= 50) break;
  }
  return hosts;
}

async function goFacts(ask: AskTool): Promise<EcosystemFacts> {
  const [proxy = '', sumdb = ''] = ((await ask('go', ['env', 'GOPROXY', 'GOSUMDB'])) ?? '').split('\n');
  const entries = proxy.trim().split(/([,|])/);
  const urls = entries.map(urlOf).filter((url) => url !== null);
  if (urls.length === 0) return nothing;
  // `name+key [url]` or `name`; `off` is no host.
  const [name = '', address] = sumdb.trim().split(/\s+/);
  const sums = urlOf(address) ?? (name.includes('.') ? urlOf(`https://${name.split('+')[0]}`) : null);
  const stripped = entries.map((entry) => {
    const url = urlOf(entry);
    return url === null ? entry : withoutCredentials(url).replace(/\/$/, '');
  });
  return {
    hosts: () => Promise.resolve(unique([...urls, ...(sums === null ? [] : [sums])].map(hostOf))),
    env: { GOPROXY: stripped.join(''), ...(sumdb.trim() === '' ? {} : { GOSUMDB: sumdb.trim() }) },
  };
}

async function cargoFacts(look: LookAtFiles, fetchText: FetchText, home: string): Promise<EcosystemFacts> {
  const text = (await look.read(join(home, 'config.toml'))) ?? (await look.read(join(home, 'config'))) ?? '';
  const urls: URL[] = [];
  for (const [, value] of text.matchAll(/^\s*(?:registry|index)\s*=\s*"(?:sparse\+)?(https?:\/\/[^"]+)"/gm)) {
    const url = urlOf(value);
    if (url !== null) urls.push(url);
  }
  // Without a setting, the directories that cargo keeps for each index carry its host: `<host>-<hash>`.
  for (const name of await look.list(join(home, 'registry', 'index'))) {
    const host = /^([a-z0-9.-]+\.[a-z]+)-[0-9a-f]{16}$/.exec(name)?.[1];
    const url = urlOf(host === undefined ? null : `https://${host}/`);
    if (url !== null) urls.push(url);
  }
  const hosts = once(async () => {
    const found = urls.map(hostOf);
    for (const url of urls) {
      const config = await fetchText(new URL('config.json', url.href.endsWith('/') ? url : `${url.href}/`));
      const files = urlOf(/"dl"\s*:\s*"([^"{]+)/.exec(config ?? '')?.[1]);
      if (files !== null) found.push(hostOf(files));
    }
    return unique(found);
  });
  return { hosts, env: {} };
}

/**
 * Maven has no command that tells its repositories without fetching a plugin first, so its own settings are read: of
 * the account, then of the installation that `mvn --version` names. Its built-in default is written nowhere that could
 * be asked, so that without a mirror or repository in the settings nothing is known.
 */
async function mavenFacts(ask: AskTool, look: LookAtFiles, home: string): Promise<EcosystemFacts> {
  const installed = /^Maven home:\s*(\S.*?)\s*$/m.exec((await ask('mvn', ['--version'])) ?? '')?.[1];
  const files = [
    join(home, '.m2', 'settings.xml'),
    ...(installed === undefined ? [] : [join(installed, 'conf', 'settings.xml')]),
    '/etc/maven/settings.xml',
  ];
  const texts = await Promise.all(files.map((file) => look.read(file)));
  const urls = texts.flatMap((text) => mavenUrls(text ?? '')).map(urlOf);
  const hosts = unique(urls.filter((url) => url !== null).map(hostOf));
  return { hosts: () => Promise.resolve(hosts), env: {} };
}

async function aptFacts(look: LookAtFiles): Promise<EcosystemFacts> {
  const directory = '/etc/apt/sources.list.d';
  const names = await look.list(directory);
  const files = ['/etc/apt/sources.list', ...names.map((name) => join(directory, name))];
  const hosts: EcosystemHost[] = [];
  for (const file of files) {
    for (const [link] of ((await look.read(file)) ?? '').matchAll(/^(?!\s*#).*$/gm)) {
      for (const [found] of link.matchAll(/https?:\/\/[^\s]+/g)) {
        const url = urlOf(found);
        if (url !== null) hosts.push(hostOf(url));
      }
    }
  }
  return { hosts: () => Promise.resolve(unique(hosts)), env: {} };
}

/** Asks once; a failure counts as no answer and is asked again. */
function once(find: () => Promise<readonly EcosystemHost[]>): () => Promise<readonly EcosystemHost[]> {
  let found: Promise<readonly EcosystemHost[]> | null = null;
  return () => {
    found ??= find().catch(() => {
      found = null;
      return [];
    });
    return found;
  };
}

function urlOf(text: string | null | undefined): URL | null {
  const url = URL.parse((text ?? '').trim());
  return url !== null && /^https?:$/.test(url.protocol) && normalHost(url.hostname) !== null ? url : null;
}

function hostOf(url: URL): EcosystemHost {
  const port = url.port === '' ? (url.protocol === 'https:' ? 443 : 80) : Number(url.port);
  return { host: normalHost(url.hostname)!, port };
}

/**
 * The address without user, password, query and fragment. A token may also stand in the path
 * (`/<token>/simple`): that one is the operator's to keep out, the path cannot be told from a token.
 */
function withoutCredentials(url: URL): string {
  const clean = new URL(url);
  clean.username = '';
  clean.password = '';
  clean.search = '';
  clean.hash = '';
  return clean.href;
}

function unique(hosts: readonly EcosystemHost[]): EcosystemHost[] {
  return [...new Map(hosts.map((at) => [`${at.host}:${at.port}`, at])).values()];
}

const lookHere: LookAtFiles = {
  read: (path) => readFile(path, 'utf8').catch(() => null),
  list: (directory) => readdir(directory).catch(() => []),
};

/** Runs outside any project, so that no repository's `.npmrc` or `pip.conf` answers in the operator's place. */
export const askTool: AskTool = (file, args) =>
  new Promise((resolve) => {
    execFile(file, [...args], { cwd: '/', timeout: 20_000, maxBuffer: 1 << 20 }, (error, stdout) => {
      resolve(error === null ? stdout : null);
    });
  });
