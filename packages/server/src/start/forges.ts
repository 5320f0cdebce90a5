import type { CurrentConfig, ForgeConfig } from '../domain/config/index.ts';
import { BerthError } from '../domain/errors/index.ts';
import { forgeOfRepository } from '../domain/forge-of-project.ts';
import type { Clock } from '../domain/ports/clock.ts';
import type { Forge, GitTarget } from '../domain/ports/forge.ts';
import { connectGitHub, type ConnectionParts, type GitHubConnection } from '../forges/github/connection.ts';
import { GitHubForge } from '../forges/github/github-forge.ts';
import { type ForgeFinding, inspectGitHub } from '../forges/github/inspect.ts';
import { LocalForge } from '../forges/local/local-forge.ts';
import { readProject } from '../store/config/list-projects.ts';
import type { Database } from '../store/database.ts';
import type { LiveSecrets } from './live-secrets.ts';

/** The code hosts of this installation, by the configuration of the moment of each use. */
export interface Forges {
  /** @param mirror Berth's own copy of the project's repository, where this process opened it */
  of(projectId: string, mirror: string | null): Promise<Forge>;
  /** Where a repository is fetched from, with a credential; null: from its address, as this account may. */
  readonly fetchTargetOf: (repository: string) => Promise<GitTarget | null>;
  /** For `berth doctor`: each configured forge, and a look at it. */
  inspections(): readonly { readonly name: string; look(): Promise<ForgeFinding> }[];
}

export interface ForgesParts {
  readonly home: string;
  readonly db: Database;
  readonly clock: Clock;
  readonly config: CurrentConfig;
  readonly secrets: Pick<LiveSecrets, 'read' | 'learn'>;
  readonly signal: AbortSignal;
  readonly limits?: ConnectionParts['limits'];
}

export function openForges(parts: ForgesParts): Forges {
  const { home, db, clock, config, secrets, signal, limits } = parts;
  const connected = new Map<string, { readonly shape: string; readonly connection: GitHubConnection }>();

  /** Tokens and what limits said are kept as long as the forge's configuration is the same. */
  const connectionTo = (forge: ForgeConfig): GitHubConnection => {
    switch (forge.kind) {
      case 'github': {
        const shape = JSON.stringify(forge);
        const known = connected.get(forge.name);
        if (known?.shape === shape) return known.connection;
        const connection = connectGitHub(forge, {
          home,
          clock,
          read: secrets.read,
          learn: secrets.learn,
          signal,
          ...(limits === undefined ? {} : { limits }),
        });
        connected.set(forge.name, { shape, connection });
        return connection;
      }
      case 'gitlab':
      case 'bitbucket':
      case 'gitea':
        throw new BerthError(
          'FORGE_UNKNOWN',
          `${forge.name} is of the kind ${forge.kind}, which this version of Berth has no adapter for.`,
        );
    }
  };

  /** The forge of a repository that is on one; null: the local one. */
  const remote = (repository: string): GitHubForge | null => {
    const current = (): Exclude<ReturnType<typeof forgeOfRepository>, { kind: 'unknown' }> => {
      const choice = forgeOfRepository(config.current().config, repository);
      if (choice.kind === 'unknown') throw new BerthError('FORGE_UNKNOWN', choice.sentence);
      return choice;
    };
    const now = current();
    if (now.kind === 'local') return null;
    const { path } = now;
    return new GitHubForge(path, () => {
      const later = current();
      // What was begun on one forge does not go on beside it.
      if (later.kind === 'forge' && later.path === path) return connectionTo(later.forge);
      throw new BerthError('FORGE_UNKNOWN', `The code host of ${repository} is not configured any more.`);
    });
  };

  return {
    async of(projectId, mirror) {
      const project = await readProject(db, projectId);
      const forge = project === null ? null : remote(project.repository);
      return forge ?? new LocalForge({ home, projectId, mirror, clock, signal });
    },
    fetchTargetOf: async (repository) => (await remote(repository)?.fetchTarget()) ?? null,
    inspections: () => {
      const { config: now } = config.current();
      return now.forges.map((forge) => ({
        name: forge.name,
        look: async () => {
          const paths = now.projects.flatMap(({ repository }) => {
            const choice = forgeOfRepository(now, repository);
            return choice.kind === 'forge' && choice.forge.name === forge.name ? [choice.path] : [];
          });
          return inspectGitHub(connectionTo(forge), paths);
        },
      }));
    },
  };
}
