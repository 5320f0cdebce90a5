import { expect, test } from 'vitest';
import { TypedLines } from './typed-lines.ts';

const bytes = (text: string): Uint8Array => Buffer.from(text);

/** Types character by character into a terminal that echoes, as a shell's line editor does. */
function typedWithEcho(lines: TypedLines, text: string): void {
  for (const character of text) {
    lines.typed(bytes(character));
    lines.shown(bytes(character === '\r' ? '\r\n' : character));
  }
}

test('a line that was shown is kept as typed', () => {
  const lines = new TypedLines();
  typedWithEcho(lines, 'ls -la\r');
  expect(lines.isEmpty).toBe(false);
  expect(lines.take()).toEqual([{ text: 'ls -la', characters: 6 }]);
  expect(lines.isEmpty).toBe(true);
});

test('what is typed without echo is counted and not kept', () => {
  const lines = new TypedLines();
  typedWithEcho(lines, 'sudo true\r');
  lines.shown(bytes('Password: '));
  lines.typed(bytes('hunter2-secret'));
  lines.typed(bytes('\r'));
  lines.shown(bytes('\r\nok\r\n$ '));
  typedWithEcho(lines, 'whoami\r');
  expect(lines.take()).toEqual([
    { text: 'sudo true', characters: 9 },
    { text: null, characters: 14 },
    { text: 'whoami', characters: 6 },
  ]);
});

test('a pasted line whose echo comes later is kept, wrapped and coloured as the shell likes', () => {
  const lines = new TypedLines();
  lines.typed(bytes('echo one two\r'));
  lines.shown(bytes('\u001b[?2004h\u001b[32mecho one\u001b[0m \r\n two\r\n'));
  expect(lines.take()).toEqual([{ text: 'echo one two', characters: 12 }]);
});

test('corrections are applied, keys that are no characters are left out, Ctrl-C drops the line', () => {
  const lines = new TypedLines();
  typedWithEcho(lines, 'lx');
  lines.typed(bytes('\u007f'));
  lines.shown(bytes('\b \b'));
  typedWithEcho(lines, 's');
  lines.typed(bytes('\u001b[A\u001b[1;5C'));
  lines.typed(bytes('\r'));
  lines.typed(bytes('rm -rf /\u0003'));
  lines.typed(bytes('\r'));
  lines.shown(bytes('ls\r\n'));
  expect(lines.take()).toEqual([{ text: 'ls', characters: 2 }]);
});

test('a flood of typing is held within a bound', () => {
  const lines = new TypedLines();
  for (let n = 0; n < 100; n += 1) lines.typed(bytes('x'.repeat(1_000)));
  lines.typed(bytes('\r'));
  expect(lines.take()).toEqual([{ text: null, characters: 2_000 }]);
});
