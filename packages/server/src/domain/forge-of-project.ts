import type { Config, ForgeConfig } from './config/index.ts';

/** Kinds of code hosts that there is an adapter for. */
export const builtForges: readonly ForgeConfig['kind'][] = ['github'];

/** Address of a repository, apart: where it is, and its path there without slashes at the ends and `.git`. */
export interface RepositoryPlace {
  /** Null with ssh, which knows a host alone. */
  readonly origin: string | null;
  readonly host: string;
  readonly path: string;
}

/** Where a repository is; null for one on this machine. Pure. @param repository an address as git takes it */
export function repositoryPlace(repository: string): RepositoryPlace | null {
  const scp = /^(?:[A-Za-z0-9._-]+@)?([A-Za-z0-9][A-Za-z0-9.-]*):(?!\/\/)(.+)$/.exec(repository);
  if (scp !== null && !repository.startsWith('/') && !repository.startsWith('.'))
    return { origin: null, host: scp[1]!.toLowerCase(), path: plainPath(scp[2]!) };
  const url = URL.parse(repository);
  if (url === null || url.hostname === '') return null;
  const path = plainPath(url.pathname);
  if (url.protocol === 'http:' || url.protocol === 'https:')
    return { origin: url.origin, host: url.hostname, path };
  // Another port is another server: it is not guessed to be the forge's.
  if (url.protocol === 'ssh:' && (url.port === '' || url.port === '22'))
    return { origin: null, host: url.hostname.toLowerCase(), path };
  return null;
}

function plainPath(path: string): string {
  return path.replace(/^\/+|\/+$/g, '').replace(/\.git$/, '');
}

/**
 * The path of a repository below a forge's address; null when it is not on it. Origin and whole segments of the path
 * are compared, never the beginning of a text: `https://github.com.example.org` is not `https://github.com`.
 */
export function pathOnForge(forge: Pick<ForgeConfig, 'url'>, repository: string): string | null {
  const place = repositoryPlace(repository);
  const url = URL.parse(forge.url ?? '');
  if (place === null || url === null) return null;
  if (place.origin === null) return place.host === url.hostname ? place.path : null;
  if (place.origin !== url.origin) return null;
  const prefix = plainPath(url.pathname);
  if (prefix === '') return place.path;
  return place.path.startsWith(`${prefix}/`) ? place.path.slice(prefix.length + 1) : null;
}

/** The forge of a repository: the one its project names, else the one it is on. Pure. */
export type ForgeChoice =
  | { readonly kind: 'local' }
  | { readonly kind: 'forge'; readonly forge: ForgeConfig; readonly path: string }
  | { readonly kind: 'unknown'; readonly sentence: string };

/** @param repository in its one form (`checkedRepository`) */
export function forgeOfRepository(
  config: Pick<Config, 'forges' | 'projects'>,
  repository: string,
): ForgeChoice {
  const named = config.projects.find((project) => project.repository === repository)?.forge;
  if (named !== undefined) {
    const forge = config.forges.find(({ name }) => name === named);
    if (forge === undefined)
      return { kind: 'unknown', sentence: `There is no code host ${named} in the configuration.` };
    const path = pathOnForge(forge, repository);
    if (path === null)
      return { kind: 'unknown', sentence: `The repository ${repository} is not on ${named} (${forge.url}).` };
    return { kind: 'forge', forge, path };
  }
  // Of several that fit, the one whose address says most.
  const fitting = config.forges
    .flatMap((forge) => {
      const path = pathOnForge(forge, repository);
      return path === null ? [] : [{ kind: 'forge' as const, forge, path }];
    })
    .sort((one, other) => one.path.length - other.path.length);
  return fitting[0] ?? { kind: 'local' };
}
