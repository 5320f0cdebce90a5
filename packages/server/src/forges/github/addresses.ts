import { BerthError } from '../../domain/errors/index.ts';

/** Where one GitHub is. None ends with a slash. */
export interface GitHubAddresses {
  readonly web: string;
  readonly rest: string;
  readonly graphql: string;
}

/**
 * GitHub.com and hosted enterprises (`*.ghe.com`) have a host of their own for the API; an Enterprise Server has it
 * below `/api/v3`, with GraphQL at `/api/graphql`.
 * @throws BerthError `FORGE_REFUSED` for plain HTTP to another machine: the token would be readable on the way
 */
export function gitHubAddresses(forge: {
  readonly url: string;
  readonly apiUrl?: string | undefined;
}): GitHubAddresses {
  const web = withoutSlash(forge.url);
  const rest = withoutSlash(forge.apiUrl ?? restOf(new URL(web)));
  for (const address of [web, rest]) {
    const { protocol, hostname } = new URL(address);
    if (protocol === 'https:' || isLoopback(hostname)) continue;
    throw new BerthError(
      'FORGE_REFUSED',
      `${address} is plain HTTP: the credential could be read on its way.`,
      {
        next: 'Give an https:// address; for a private authority set `ca`.',
      },
    );
  }
  const graphql = rest.endsWith('/api/v3') ? rest.replace(/\/v3$/, '/graphql') : `${rest}/graphql`;
  return { web, rest, graphql };
}

function restOf(web: URL): string {
  const isHosted = web.hostname === 'github.com' || web.hostname.endsWith('.ghe.com');
  return isHosted ? `https://api.${web.hostname}` : `${withoutSlash(web.href)}/api/v3`;
}

function isLoopback(hostname: string): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || /^127(\.\d{1,3}){3}$/.test(hostname);
}

function withoutSlash(address: string): string {
  return address.replace(/\/+$/, '');
}

/** A repository on GitHub. */
export interface RepositoryName {
  readonly owner: string;
  readonly name: string;
}

/** @throws BerthError `FORGE_UNKNOWN` when `path` is not `owner/name` */
export function repositoryName(path: string): RepositoryName {
  const match = /^([A-Za-z0-9][A-Za-z0-9_-]{0,99})\/([A-Za-z0-9._-]{1,100})$/.exec(path);
  const [, owner = '', name = ''] = match ?? [];
  if (match === null || name === '.' || name === '..')
    throw new BerthError('FORGE_UNKNOWN', `On GitHub a repository is owner/name; "${path}" is not.`);
  return { owner, name };
}
