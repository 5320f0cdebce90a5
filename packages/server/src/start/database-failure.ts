import { asBerthError, BerthError } from '../domain/errors/index.ts';

const form = 'postgres://USER:PASSWORD@HOST:5432/NAME';

/**
 * Why the database of DATABASE_URL did not open, for whoever has just written that address: a start has no runs that
 * could go on by themselves. Says host and port, never user or password.
 */
export function databaseFailure(error: unknown, url: string | undefined): BerthError {
  const known = asBerthError(error);
  if (url === undefined || url === '' || known.code !== 'DATABASE_UNAVAILABLE') return known;
  if (!/^postgres(ql)?:/.test(url) || !URL.canParse(url)) {
    return new BerthError('DATABASE_REFUSED', 'DATABASE_URL is no address of a PostgreSQL.', {
      next: `Write it as ${form}.`,
      cause: error,
    });
  }
  const { host } = new URL(url);
  const where = host === '' ? '' : ` at ${host}`;
  return new BerthError('DATABASE_UNAVAILABLE', `The database of DATABASE_URL does not answer${where}.`, {
    next: 'Check that it runs, that it is reached from here, and host and port in DATABASE_URL.',
    cause: error,
  });
}
