import { readFile } from 'node:fs/promises';
import { BerthError } from '../../domain/errors/index.ts';

/** What PostgreSQL's programs said, as an error with a code. */
export function programFailure(what: string, output: string, cause?: unknown): BerthError {
  const tail = output.trim().split('\n').slice(-8).join('\n');
  const details = { log: tail };
  if (/No space left on device|Disk quota exceeded/i.test(output)) {
    return new BerthError('DATABASE_DISK_FULL', undefined, { cause, details });
  }
  if (/database files are incompatible with server/i.test(output)) {
    return new BerthError('DATABASE_VERSION', undefined, { cause, details });
  }
  if (/could not look up effective user ID/i.test(output)) {
    return new BerthError(
      'DATABASE_PERMISSION',
      'The user that runs Berth has no entry in passwd, which PostgreSQL needs.',
      {
        cause,
        next: 'Run Berth as a user that has one (or as root), or set DATABASE_URL to a PostgreSQL of your own.',
        details,
      },
    );
  }
  if (/Permission denied|EACCES|EPERM|invalid permissions|wrong ownership/i.test(output)) {
    return new BerthError('DATABASE_PERMISSION', undefined, { cause, details });
  }
  return new BerthError('DATABASE_START_FAILED', `${what}: ${lastLine(tail)}`, { cause, details });
}

/** The end of the server's log, from `offset` bytes on. */
export async function readLog(path: string, offset: number): Promise<string> {
  const bytes = await readFile(path).catch(() => Buffer.alloc(0));
  return bytes.subarray(offset).toString('utf8').slice(-16_384);
}

function lastLine(text: string): string {
  const telling = text.split('\n').filter((line) => /FATAL|PANIC|error:/i.test(line));
  return (telling.at(-1) ?? text.split('\n').at(-1) ?? '').trim();
}
