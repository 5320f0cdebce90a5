import type { Run, RunState } from '@berth/client';
import type { Tone } from './style.ts';

export type StepState = Run['steps'][number]['state'];

const runMarks: Readonly<Record<RunState, readonly [mark: string, tone: Tone]>> = {
  queued: ['◌', 'dim'],
  running: ['●', 'signal'],
  paused: ['‖', 'warn'],
  needs_human: ['◆', 'warn'],
  succeeded: ['✔', 'good'],
  failed: ['✖', 'bad'],
  cancelled: ['⊘', 'dim'],
};

const stepMarks: Readonly<Record<StepState, readonly [mark: string, word: string, tone: Tone]>> = {
  pending: ['○', 'to come ', 'dim'],
  running: ['●', 'running ', 'signal'],
  passed: ['✔', 'ok ', 'good'],
  failed: ['✖', 'FAILED ', 'bad'],
  skipped: ['–', 'skipped ', 'dim'],
  interrupted: ['!', 'interrupted ', 'warn'],
};

/** A state is always a word; the mark is added where the terminal shows it. */
export function stateWord(state: RunState, isAscii: boolean): { text: string; tone: Tone } {
  const [mark, tone] = runMarks[state];
  const word = state === 'needs_human' ? 'needs human' : state;
  return { text: isAscii ? word : `${mark} ${word}`, tone };
}

/** The mark of a step; a word followed by a space without marks. */
export function stepMark(state: StepState, isAscii: boolean): { text: string; tone: Tone } {
  const [mark, word, tone] = stepMarks[state];
  return { text: isAscii ? word : mark, tone };
}
