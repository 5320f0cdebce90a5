import type { ForgeConfig } from '../../domain/config/index.ts';
import type { Clock } from '../../domain/ports/clock.ts';
import type { ReadSecret } from '../../secrets/read-secret.ts';
import type { Secret } from '../../secrets/secret-forms.ts';
import { certificateFile } from '../git-target.ts';
import { type GitHubAddresses, gitHubAddresses } from './addresses.ts';
import { GitHubClient, type GitHubClientOptions } from './client.ts';
import { AppCredentials, type Credentials, tokenCredentials } from './credentials.ts';

export type GitHubConfig = Extract<ForgeConfig, { kind: 'github' }>;

/** One GitHub as the configuration has it now: shared by all of its repositories. */
export interface GitHubConnection {
  readonly name: string;
  readonly addresses: GitHubAddresses;
  readonly client: GitHubClient;
  readonly credentials: Credentials;
  /** Set with an App. */
  readonly app: AppCredentials | null;
  readonly clock: Clock;
  /** File with what git is to trust; null: what it trusts by itself. */
  caFile(): Promise<string | null>;
}

export interface ConnectionParts {
  readonly home: string;
  readonly clock: Clock;
  readonly read: ReadSecret;
  /** Values to be looked for in whatever is stored or shown, until they end. */
  readonly learn: (secret: Secret, untilMs?: number) => void;
  readonly signal: AbortSignal;
  readonly limits?: Pick<GitHubClientOptions, 'longestWaitMs' | 'exchangeMs' | 'maxAnswerBytes'>;
}

/** @throws BerthError `FORGE_REFUSED` for an address that is not safe */
export function connectGitHub(config: GitHubConfig, parts: ConnectionParts): GitHubConnection {
  const { home, clock, signal, read, learn } = parts;
  const { name } = config;
  const addresses = gitHubAddresses(config);
  let ca: Promise<string | null> | null = null;
  const readCa = (): Promise<string | null> => {
    ca ??= config.ca === undefined ? Promise.resolve(null) : read(config.ca, signal);
    ca.catch(() => (ca = null));
    return ca;
  };
  const client = new GitHubClient({
    forge: name,
    rest: addresses.rest,
    ca: readCa,
    clock,
    signal,
    ...parts.limits,
  });
  const common = { forge: name, client, clock, read, learn, signal };
  const app = config.app === undefined ? null : new AppCredentials(common, config.app);
  return {
    name,
    addresses,
    client,
    credentials: app ?? tokenCredentials(common, config.token ?? ''),
    app,
    clock,
    async caFile() {
      const text = await readCa();
      return text === null ? null : certificateFile(home, text);
    },
  };
}
