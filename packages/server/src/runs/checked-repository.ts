import { BerthError } from '../domain/errors/index.ts';
import { findLocalSource } from '../git/local-source.ts';
import { parseAddress, withoutCredentials } from '../git/repository-address.ts';

/**
 * The one form of a repository's address, after a first look: a local one must exist and be a repository, a remote
 * one is asked when the run begins.
 * @throws BerthError `REPO_ADDRESS_INVALID`, `REPO_NOT_FOUND`, `REPO_NOT_A_REPOSITORY`, `REPO_PERMISSION_DENIED`
 */
export async function checkedRepository(repository: string, signal: AbortSignal): Promise<string> {
  const address = parseAddress(repository, '/');
  if (address.kind === 'remote') {
    // What is given here is stored, shown, and stands in the arguments of git processes.
    if (withoutCredentials(address.url) !== address.url) {
      throw new BerthError(
        'REPO_ADDRESS_INVALID',
        `The address ${address.shown} was given with a credential in it.`,
        {
          next: "Give it without; the credential helper of this account's git is asked.",
        },
      );
    }
    return repository;
  }
  return (await findLocalSource(address.path, signal)).path;
}
