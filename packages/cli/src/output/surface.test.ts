import { expect, test } from 'vitest';
import { surfaceOf, type ColourChoice } from './surface.ts';

const tty = { write: () => true, isTTY: true, columns: 100, rows: 30 };
const pipe = { write: () => true };

test('colour follows the flag, then NO_COLOR, then FORCE_COLOR, then the stream', () => {
  const cases: [typeof tty | typeof pipe, Record<string, string>, ColourChoice, boolean][] = [
    [tty, {}, 'auto', true],
    [pipe, {}, 'auto', false],
    [tty, { NO_COLOR: '1' }, 'auto', false],
    [tty, { NO_COLOR: '' }, 'auto', true],
    [tty, { NO_COLOR: '1', FORCE_COLOR: '1' }, 'auto', false],
    [pipe, { FORCE_COLOR: '1' }, 'auto', true],
    [tty, { FORCE_COLOR: '0' }, 'auto', false],
    [tty, { TERM: 'dumb' }, 'auto', false],
    [pipe, { NO_COLOR: '1' }, 'always', true],
    [tty, {}, 'never', false],
  ];
  for (const [output, env, choice, isColour] of cases) {
    expect(surfaceOf(output, env, choice).isColour).toBe(isColour);
  }
});

test('a dumb terminal is never redrawn, and words replace marks when asked', () => {
  expect(surfaceOf(tty, { TERM: 'xterm' }).isMovable).toBe(true);
  expect(surfaceOf(tty, { TERM: 'dumb' }).isMovable).toBe(false);
  expect(surfaceOf(pipe, {}).isMovable).toBe(false);
  expect(surfaceOf(tty, { BERTH_ASCII: '1' }).isAscii).toBe(true);
  expect(surfaceOf(tty, { BERTH_ASCII: '0' }).isAscii).toBe(false);
});
