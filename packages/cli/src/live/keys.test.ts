import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { KeyDecoder, type Key } from './keys.ts';

function keysOf(...chunks: (string | Uint8Array)[]): Key[] {
  const decoder = new KeyDecoder();
  return chunks.flatMap((chunk) => decoder.push(typeof chunk === 'string' ? Buffer.from(chunk) : chunk));
}

const textOf = (keys: readonly Key[]): string =>
  keys.map((key) => (key.kind === 'text' ? key.text : '')).join('');

test('letters, controls and characters of several bytes', () => {
  expect(keysOf('keep it', '\r')).toEqual([{ kind: 'text', text: 'keep it' }, { kind: 'enter' }]);
  expect(keysOf('\t\u007f\u0015\u0017\u0003\u001a\u001c\u000c').map((key) => key.kind)).toEqual([
    'tab',
    'backspace',
    'delete-line',
    'delete-word',
    'interrupt',
    'suspend',
    'quit',
    'redraw',
  ]);
  const bytes = Buffer.from('日');
  expect(keysOf(bytes.subarray(0, 1), bytes.subarray(1))).toEqual([{ kind: 'text', text: '日' }]);
});

test('an escape alone is the key once nothing follows; the beginning of a sequence is nothing', () => {
  const decoder = new KeyDecoder();
  expect(decoder.push(Buffer.from('\u001b'))).toEqual([]);
  expect(decoder.isWaiting).toBe(true);
  expect(decoder.flush()).toEqual([{ kind: 'escape' }]);
  expect(decoder.push(Buffer.from('\u001b[20'))).toEqual([]);
  expect(decoder.flush()).toEqual([]);
  expect(decoder.push(Buffer.from('q'))).toEqual([{ kind: 'text', text: 'q' }]);
});

test('arrows, a mouse, and what a terminal answers to hostile output are no keys', () => {
  for (const sequence of [
    '\u001b[A',
    '\u001bOP',
    '\u001b[1;5C',
    '\u001b[<0;10;10M',
    '\u001b[?62;22c',
    '\u001b[24;80R',
    '\u001b]11;rgb:0000/0000/0000\u0007',
    '\u001b]11;rgb:ffff/ffff/ffff\u001b\\',
    '\u001bP1$r0m\u001b\\',
    '\u001bx',
    '\u009b5n',
  ]) {
    expect(keysOf(sequence)).toEqual([]);
    for (let place = 1; place < sequence.length; place += 1) {
      expect(keysOf(sequence.slice(0, place), sequence.slice(place))).toEqual([]);
    }
  }
});

test('what is pasted is text, whatever it holds and however it is cut into pieces', () => {
  fc.assert(
    fc.property(
      fc.string({ unit: fc.constantFrom('q', 'X', '\u001b', '[', '2', '0', '1', '~', '\r', '\u0003', 'é') }),
      fc.nat(20),
      (pasted, place) => {
        fc.pre(
          !pasted.includes('\u001b[201~') && !`${pasted}\u001b[201~`.slice(0, -1).includes('\u001b[201~'),
        );
        const whole = `\u001b[200~${pasted}\u001b[201~`;
        const keys = keysOf(whole.slice(0, place), whole.slice(place), 'q');
        expect(keys.slice(0, -1).every((key) => key.kind === 'paste')).toBe(true);
        expect(keys.map((key) => ('text' in key ? key.text : '')).join('')).toBe(`${pasted}q`);
        expect(keys.at(-1)).toEqual({ kind: 'text', text: 'q' });
      },
    ),
  );
});

test('no bytes make it hang, throw or give control characters as text', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 6 }), (chunks) => {
      const decoder = new KeyDecoder();
      const keys = [...chunks.flatMap((chunk) => decoder.push(chunk)), ...decoder.flush()];
      expect(textOf(keys)).not.toMatch(/\p{Cc}/u);
    }),
  );
});
