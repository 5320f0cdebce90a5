import { harmlessLine } from '@berth/client';
import type { Paint } from '../output/style.ts';
import { cut, textWidth } from '../output/text-width.ts';
import type { Key } from './keys.ts';

/** Characters a message may have; the server refuses more. */
const maxMessage = 20_000;

/** The line under the panel in which a person writes to the agent. */
export interface SteerBox {
  readonly text: string;
  /** Whether letters are text, also those that are commands in an empty box. */
  readonly isTyping: boolean;
  readonly asksToCancel: boolean;
  readonly showsHelp: boolean;
}

export const emptyBox: SteerBox = { text: '', isTyping: false, asksToCancel: false, showsHelp: false };

export type SteerMode = 'now' | 'after_step';

/** What a key asks for. */
export type BoxAct =
  | { readonly kind: 'send'; readonly text: string; readonly mode: SteerMode }
  | {
      readonly kind:
        | 'diff'
        | 'log'
        | 'pause'
        | 'cancel'
        | 'detach'
        | 'interrupt'
        | 'suspend'
        | 'quit'
        | 'redraw';
    };

const commands: Readonly<Record<string, 'diff' | 'log' | 'pause' | 'detach'>> = {
  d: 'diff',
  l: 'log',
  p: 'pause',
  q: 'detach',
};

interface Pressed {
  readonly box: SteerBox;
  readonly act: BoxAct | null;
}

/** The box after a key, and what the key asks for. Pure. */
export function pressed(box: SteerBox, key: Key): Pressed {
  const isForAll =
    key.kind === 'interrupt' || key.kind === 'suspend' || key.kind === 'quit' || key.kind === 'redraw';
  if (isForAll) return { box, act: { kind: key.kind } };
  if (box.asksToCancel) {
    const isYes = key.kind === 'text' && /^[yYX]$/.test(key.text);
    return { box: { ...box, asksToCancel: false }, act: isYes ? { kind: 'cancel' } : null };
  }
  if (box.showsHelp) {
    const closed = { ...box, showsHelp: false };
    return key.kind === 'escape' || isText(key, '?') ? { box: closed, act: null } : pressed(closed, key);
  }
  switch (key.kind) {
    case 'text':
      return box.isTyping || box.text !== '' ? stay(typed(box, key.text)) : command(box, key.text);
    case 'paste':
      return stay(typed(box, key.text));
    case 'enter':
      return send(box, 'now');
    case 'tab':
      return send(box, 'after_step');
    case 'escape':
      return stay(emptyBox);
    case 'backspace':
      return stay({ ...box, text: withoutLast(box.text) });
    case 'delete-word':
      return stay({ ...box, text: box.text.replace(/\S+\s*$/u, '') });
    case 'delete-line':
      return stay({ ...box, text: '' });
  }
}

function command(box: SteerBox, text: string): Pressed {
  const kind = Object.hasOwn(commands, text) ? commands[text] : undefined;
  if (kind !== undefined) return { box, act: { kind } };
  if (text === 'X') return stay({ ...box, asksToCancel: true });
  if (text === '?') return stay({ ...box, showsHelp: true });
  return stay(typed(box, text));
}

function send(box: SteerBox, mode: SteerMode): Pressed {
  const text = box.text.trim();
  // Nothing to send: the next letter begins a message, whichever it is.
  if (text === '') return stay({ ...box, text: '', isTyping: mode === 'now' });
  return { box: emptyBox, act: { kind: 'send', text, mode } };
}

function typed(box: SteerBox, text: string): SteerBox {
  const added = text.replaceAll(/\r\n?/g, '\n');
  return { ...box, text: (box.text + added).trimStart().slice(0, maxMessage), isTyping: true };
}

function withoutLast(text: string): string {
  const last = [...new Intl.Segmenter('en', { granularity: 'grapheme' }).segment(text)].at(-1);
  return last === undefined ? '' : text.slice(0, last.index);
}

function stay(box: SteerBox): Pressed {
  return { box, act: null };
}

function isText(key: Key, text: string): boolean {
  return key.kind === 'text' && key.text === text;
}

export interface BoxFacts {
  readonly columns: number;
  /** Whether leaving means pausing, because this process carries the run. */
  readonly isHost: boolean;
  readonly isPaused: boolean;
}

/** The box and what the keys do, each line narrower than the terminal. Pure. */
export function boxLines(box: SteerBox, facts: BoxFacts, paint: Paint): string[] {
  const width = facts.columns - 1;
  const leaving = facts.isHost ? 'q pause+leave' : 'q detach';
  if (box.asksToCancel) {
    return [
      paint('warn', cut(' Cancel this run? Its work so far is kept.  y cancel  any other key: no', width)),
    ];
  }
  const line = ` steer> ${tailOf(harmlessLine(box.text), width - 10)}_`;
  if (box.showsHelp) return [line, ...helpLines(facts).map((text) => paint('dim', cut(text, width)))];
  const keys = box.isTyping
    ? ' Enter now  Tab after this step  Esc clear'
    : ` Enter write  d diff  l log  p ${facts.isPaused ? 'continue' : 'pause'}  X cancel  ${leaving}  ? help`;
  return [line, paint('dim', cut(keys, width))];
}

/** The keys, two on a line where they fit. */
function helpLines({ isHost, columns }: BoxFacts): string[] {
  const rows: [string, string][] = [
    ['Enter', 'sends: read at the next tool call'],
    ['Tab', 'sends for after this step'],
    ['Space', 'begins with any letter'],
    ['Esc', 'clears'],
    ['d', 'diff in a pager'],
    ['l', 'log in a pager'],
    ['p', 'pause, or continue'],
    ['X', 'cancel the run (asks first)'],
    ['Ctrl-Z', 'suspends this command'],
    ['q', isHost ? 'leaves: the run pauses' : 'leaves: the run goes on'],
  ];
  const cells = rows.map(([key, what]) => ` ${key.padEnd(6)} ${what}`);
  if (columns < 80) return cells;
  return cells.flatMap((cell, place) =>
    place % 2 === 0 ? [`${cell.padEnd(42)}${cells[place + 1] ?? ''}`] : [],
  );
}

/** The end of a text, where one writes. */
function tailOf(text: string, columns: number): string {
  if (textWidth(text) <= columns) return text;
  const segments = [...new Intl.Segmenter('en', { granularity: 'grapheme' }).segment(text)];
  let kept = '';
  for (const { segment } of segments.toReversed()) {
    if (textWidth(segment + kept) > columns - 1) break;
    kept = segment + kept;
  }
  return `…${kept}`;
}
