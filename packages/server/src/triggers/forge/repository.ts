import type { Config, ForgeTriggerConfig, ProjectConfig } from '../../domain/config/index.ts';

/** Host and full name of a repository's address (`https`, `ssh`, `git@host:a/b.git`), in lower case; null: it has none. */
export function repositoryPlace(address: string): { readonly host: string; readonly name: string } | null {
  const short = /^(?:[A-Za-z0-9_.-]+@)?([A-Za-z0-9.-]+):(?!\/)([^\s]+)$/.exec(address);
  const url = short === null || address.includes('://') ? URL.parse(address) : null;
  const [host, path] = url === null ? [short?.[1], short?.[2]] : [url.hostname, url.pathname];
  if (host === undefined || path === undefined || host === '') return null;
  const name = path.replace(/^\/+|\/+$/g, '').replace(/\.git$/i, '');
  return name.includes('/') ? { host: host.toLowerCase(), name: name.toLowerCase() } : null;
}

/** The project of a forge that a full name means; null: none of ours. Pure. */
export function projectOnForge(config: Config, forge: string, fullName: string): ProjectConfig | null {
  const at = config.forges.find(({ name }) => name === forge);
  if (at === undefined) return null;
  const url = URL.parse(at.url);
  const isThere = (project: ProjectConfig): boolean => {
    const place = repositoryPlace(project.repository);
    if (place === null) return false;
    if (project.forge !== undefined && project.forge !== forge) return false;
    if (project.forge === undefined && place.host !== url?.hostname.toLowerCase()) return false;
    // A forge below a path: `https://code.example.com/git`.
    const prefix = url?.pathname.replace(/^\/+|\/+$/g, '').toLowerCase() ?? '';
    const name =
      prefix !== '' && place.name.startsWith(`${prefix}/`) ? place.name.slice(prefix.length + 1) : place.name;
    return name === fullName.toLowerCase();
  };
  return config.projects.find(isThere) ?? null;
}

export function forgeTriggersOf(config: Config, project: string): readonly ForgeTriggerConfig[] {
  return config.triggers
    .filter((one) => one.kind === 'forge')
    .filter((one) => one.enabled && one.project === project);
}
