import { BerthError } from '../domain/errors/index.ts';

const networkCodes = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'ECONNABORTED',
  'EPIPE',
  'ENOENT',
  'ETIMEDOUT',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTCONN',
]);
/** Shutting down, starting up, too many connections, statement or lock time-out, deadlock, failed serialisation. */
const sqlStates = new Set(['57P01', '57P02', '57P03', '57014', '53300', '55P03', '40P01', '40001', '25006']);
const messages =
  /^(Connection terminated|Query read timeout|timeout exceeded when trying to connect|Client has encountered a connection error|Client was closed|Connection ended|The client is closed|Cannot use a pool after)/i;

/** A database error as people and callers should meet it; errors of the statement itself pass unchanged. */
export function databaseError(error: unknown): unknown {
  if (error instanceof BerthError || !(error instanceof Error)) return error;
  const code = (error as { code?: unknown }).code;
  const state = typeof code === 'string' ? code : '';
  if (state === '53100') return new BerthError('DATABASE_DISK_FULL', undefined, { cause: error });
  if (state.startsWith('28') || state === '3D000') {
    return new BerthError('DATABASE_REFUSED', `The database refused the sign-in: ${error.message}`, {
      cause: error,
    });
  }
  if (
    networkCodes.has(state) ||
    state.startsWith('08') ||
    sqlStates.has(state) ||
    messages.test(error.message)
  ) {
    return new BerthError('DATABASE_UNAVAILABLE', undefined, { cause: error });
  }
  return error;
}

export function isUnavailable(error: unknown): boolean {
  return (
    error instanceof BerthError &&
    (error.code === 'DATABASE_UNAVAILABLE' || error.code === 'DATABASE_DISK_FULL')
  );
}
