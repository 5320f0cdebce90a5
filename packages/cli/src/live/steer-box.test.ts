import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { paintFor } from '../output/style.ts';
import { textWidth } from '../output/text-width.ts';
import type { Key } from './keys.ts';
import { boxLines, emptyBox, pressed, type BoxAct, type SteerBox } from './steer-box.ts';

const plain = paintFor({ isColour: false });

function after(keys: readonly (string | Key)[]): { box: SteerBox; acts: BoxAct[] } {
  let box = emptyBox;
  const acts: BoxAct[] = [];
  for (const key of keys) {
    const result = pressed(box, typeof key === 'string' ? { kind: 'text', text: key } : key);
    box = result.box;
    if (result.act !== null) acts.push(result.act);
  }
  return { box, acts };
}

const enter: Key = { kind: 'enter' };
const tab: Key = { kind: 'tab' };
const escape: Key = { kind: 'escape' };

test('in an empty box single letters are commands, in a message they are letters', () => {
  expect(after(['d', 'l', 'p', 'q']).acts.map((act) => act.kind)).toEqual(['diff', 'log', 'pause', 'detach']);
  const written = after(['k', 'd', 'l', 'p', 'q', 'X', '?']);
  expect([written.box.text, written.acts]).toEqual(['kdlpqX?', []]);
});

test('Enter sends now, Tab after the step, and the box is empty again', () => {
  expect(after(['keep it', enter])).toEqual({
    box: emptyBox,
    acts: [{ kind: 'send', text: 'keep it', mode: 'now' }],
  });
  expect(after(['keep it', tab]).acts).toEqual([{ kind: 'send', text: 'keep it', mode: 'after_step' }]);
});

test('Enter or Space first: then a message can begin with any letter; Escape takes it back', () => {
  for (const first of [enter, ' ']) {
    expect(after([first, 'd', 'o', enter]).acts).toEqual([{ kind: 'send', text: 'do', mode: 'now' }]);
  }
  expect(after([enter, escape, 'd']).acts).toEqual([{ kind: 'diff' }]);
  expect(after([' ', enter]).acts).toEqual([]);
});

test('cancelling is asked once: yes cancels, anything else does not', () => {
  expect(after(['X']).acts).toEqual([]);
  for (const yes of ['y', 'Y', 'X']) expect(after(['X', yes]).acts).toEqual([{ kind: 'cancel' }]);
  for (const no of ['n', 'q', 'd', enter, escape, { kind: 'paste', text: 'y' } as const]) {
    expect(after(['X', no])).toEqual({ box: emptyBox, acts: [] });
  }
});

test('a paste is text, also where it looks like a command', () => {
  for (const text of ['q', 'X', 'y\r\ny']) {
    expect(after([{ kind: 'paste', text }]).acts).toEqual([]);
  }
  expect(after([{ kind: 'paste', text: 'one\r\ntwo\n' }, enter]).acts).toEqual([
    { kind: 'send', text: 'one\ntwo', mode: 'now' },
  ]);
});

test('the last character, word and line can be taken back', () => {
  expect(after(['ab👩‍👩‍👧', { kind: 'backspace' }]).box.text).toBe('ab');
  expect(after(['keep the API', { kind: 'delete-word' }]).box.text).toBe('keep the ');
  expect(after(['keep', { kind: 'delete-line' }]).box.text).toBe('');
});

test('Ctrl-C, Ctrl-Z and Ctrl-L act in every state', () => {
  for (const kind of ['interrupt', 'suspend', 'redraw'] as const) {
    for (const before of [[], ['X'], ['?'], ['text']]) {
      expect(after([...before, { kind }]).acts).toEqual([{ kind }]);
    }
  }
});

test('where this process carries the run, leaving is said to pause it', () => {
  const facts = { columns: 80, isHost: true, isPaused: false };
  expect(boxLines(emptyBox, facts, plain).join('\n')).toContain('q pause+leave');
  expect(boxLines({ ...emptyBox, showsHelp: true }, facts, plain).join('\n')).toContain('the run pauses');
  expect(boxLines(emptyBox, { ...facts, isHost: false }, plain).join('\n')).toContain('q detach');
});

test('no line is wider than the terminal, whatever is written, and nothing of it is obeyed', () => {
  const keys = fc.oneof(
    fc.record({
      kind: fc.constantFrom('text' as const, 'paste' as const),
      text: fc.string({ unit: 'binary' }),
    }),
    fc.constantFrom(tab, escape, { kind: 'backspace' } as const),
  );
  fc.assert(
    fc.property(
      fc.array(keys, { maxLength: 10 }),
      fc.integer({ min: 20, max: 120 }),
      (pressedKeys, columns) => {
        const { box } = after(pressedKeys);
        for (const line of boxLines(box, { columns, isHost: false, isPaused: true }, plain)) {
          expect(textWidth(line)).toBeLessThan(columns);
          expect(line).not.toMatch(/[\p{Cc}\u202a-\u202e\u2066-\u2069]/u);
        }
      },
    ),
  );
});
