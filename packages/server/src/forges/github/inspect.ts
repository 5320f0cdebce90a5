import { asBerthError } from '../../domain/errors/index.ts';
import { repositoryName } from './addresses.ts';
import type { GitHubConnection } from './connection.ts';
import { missingOf } from './permissions.ts';
import { repositorySchema } from './shapes.ts';

/** What `berth doctor` says of a forge. */
export interface ForgeFinding {
  readonly state: 'pass' | 'warn' | 'fail';
  readonly sentence: string;
  readonly fix: string | null;
}

/** Repositories that are looked at; each is a request. */
const mostRepositories = 20;

/**
 * Whether the credential works and what it may do on the repositories of the configured projects.
 * @param paths `owner/name` of each
 */
export async function inspectGitHub(
  connection: GitHubConnection,
  paths: readonly string[],
): Promise<ForgeFinding> {
  const login = await connection.credentials.login();
  const looked = paths.slice(0, mostRepositories);
  const faults: string[] = [];
  for (const path of looked) {
    const fault = await faultOf(connection, path).catch((error: unknown) => asBerthError(error).message);
    if (fault !== null) faults.push(`${path}: ${fault}`);
  }
  const who = `${connection.name}: works as ${login} (${connection.app === null ? 'token' : 'App'})`;
  if (faults.length > 0) {
    return {
      state: 'fail',
      sentence: `${who}; ${faults.slice(0, 5).join('; ')}${faults.length > 5 ? ` and ${faults.length - 5} more` : ''}`,
      fix: 'Grant what is missing in the settings of the App or token; docs/forges.md lists the permissions.',
    };
  }
  const seen = `${looked.length} ${looked.length === 1 ? 'repository' : 'repositories'}`;
  if (paths.length === 0) {
    return {
      state: 'warn',
      sentence: `${who}; no project of the configuration is on it`,
      fix: 'Add a project whose `repository` begins with its `url`.',
    };
  }
  return { state: 'pass', sentence: `${who}; may push and propose on ${seen}`, fix: null };
}

async function faultOf(connection: GitHubConnection, path: string): Promise<string | null> {
  const name = repositoryName(path);
  if (connection.app !== null) {
    const { permissions } = await connection.app.installation(name);
    const missing = missingOf(permissions);
    return missing.length === 0 ? null : `lacks ${missing.join(', ')}`;
  }
  const { account, authorize } = connection.credentials.for(name, 'fetch');
  const { value } = await connection.client.json(
    { method: 'GET', path: `/repos/${path}`, what: `looking at ${path}` },
    repositorySchema,
    account,
    authorize,
  );
  // What a fine-grained token may do beside is not told by GitHub; the account's right to push is.
  return value.permissions?.['push'] === true ? null : 'may not push';
}
