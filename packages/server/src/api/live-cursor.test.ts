import { expect, test } from 'vitest';
import { decodeLiveCursor, wantedRuns } from './live-cursor.ts';

const forged = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');

test('places that no log can have are refused before the database is asked', () => {
  expect(wantedRuns('r-1:2147483647')).toEqual([{ id: 'r-1', afterSeq: 2_147_483_647 }]);
  expect(() => wantedRuns('r-1:999999999999999')).toThrow('no run has entry');
  for (const seq of [2_147_483_648, Number.MAX_SAFE_INTEGER, -1, 0.5]) {
    expect(() => decodeLiveCursor(forged({ r: { 'r-1': seq }, l: null }))).toThrow('cursor');
  }
});
