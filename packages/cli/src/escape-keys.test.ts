import { expect, test } from 'vitest';
import { EscapeKeys } from './escape-keys.ts';

function take(...pieces: readonly string[]) {
  const keys = new EscapeKeys();
  const taken = pieces.map((piece) => keys.take(Buffer.from(piece)));
  return {
    typed: Buffer.concat(taken.map((one) => one.data)).toString(),
    asked: taken.map((one) => one.asked).find((one) => one !== null) ?? null,
  };
}

test('what is typed passes unchanged', () => {
  expect(take('ls ~/x\r', 'echo ä\r')).toEqual({ typed: 'ls ~/x\recho ä\r', asked: null });
  expect(take('~/bin/x\r')).toEqual({ typed: '~/bin/x\r', asked: null });
});

test('~. at the beginning of a line leaves, also in two pieces', () => {
  expect(take('~.')).toEqual({ typed: '', asked: 'leave' });
  expect(take('ls\r', '~', '.')).toEqual({ typed: 'ls\r', asked: 'leave' });
});

test('~. elsewhere does not', () => {
  expect(take('cat ~.x\r')).toEqual({ typed: 'cat ~.x\r', asked: null });
  expect(take('a~.')).toEqual({ typed: 'a~.', asked: null });
});

test('~~ types one tilde, ~? asks for help', () => {
  expect(take('~~.')).toEqual({ typed: '~.', asked: null });
  expect(take('~?')).toEqual({ typed: '', asked: 'help' });
});
