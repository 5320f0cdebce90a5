import { expect, test } from 'vitest';
import { BerthError } from '../domain/errors/index.ts';
import { databaseFailure } from './database-failure.ts';

const away = new BerthError('DATABASE_UNAVAILABLE');

test('a database that does not answer is named by host and port, without its password', () => {
  const { code, message, next } = databaseFailure(away, 'postgres://berth:hunter2@db.internal:5433/berth');
  expect([code, message]).toEqual([
    'DATABASE_UNAVAILABLE',
    'The database of DATABASE_URL does not answer at db.internal:5433.',
  ]);
  expect(next).toContain('DATABASE_URL');
});

test('an address that is none is said to be none, without showing it', () => {
  for (const url of ['notaurl-hunter2', 'https://hunter2@db/berth', 'postgres://[hunter2']) {
    const { code, message, next } = databaseFailure(away, url);
    expect(code).toBe('DATABASE_REFUSED');
    expect(`${message} ${next}`).not.toContain('hunter2');
    expect(next).toContain('postgres://');
  }
});

test('everything else, and an embedded database, stays as it is', () => {
  const refused = new BerthError('DATABASE_REFUSED');
  expect(databaseFailure(refused, 'postgres://db/berth')).toBe(refused);
  expect(databaseFailure(away, undefined)).toBe(away);
});
