import type { EventData, NewEvent } from '../domain/events/index.ts';
import { remainsText } from './allowance.ts';
import type { Standing, Warning } from './allowance.ts';
import { delimited } from './context/delimited.ts';

type Told = EventData<'agent.told'>;

function told(step: string, kind: Told['kind'], text: string, more: Partial<Told> = {}): NewEvent {
  return { type: 'agent.told', data: { step, kind, text, ...more } };
}

export function nudgeNote(step: string, text: string): NewEvent {
  return told(step, 'nudge', text);
}

export function repairNote(step: string, text: string): NewEvent {
  const output = delimited('failures', {}, text);
  const advice =
    'Find the cause in your change and repair it; change no test to make it pass unless the task asks for it. Then call finish again.';
  return told(step, 'repair', `Berth ran the checks on your work, and they failed:\n${output}\n${advice}`);
}

export function messageNote(step: string, message: EventData<'message.received'>): NewEvent {
  const text = `A person who watches this run says:\n${delimited('message', { from: message.by }, message.text)}`;
  return told(step, 'message', text, { messageId: message.messageId });
}

export function lossNote(step: string, loss: { readonly restoredFrom: string | null }): NewEvent {
  const state =
    loss.restoredFrom === null
      ? 'It holds the repository as it was at the beginning: none of your changes.'
      : 'It holds the working tree as it was last saved, which may be a few steps ago.';
  return told(
    step,
    'loss',
    `The sandbox was lost and replaced by a new one. ${state} Gone are: running and background commands, the shell's directory and variables, and files outside the repository. The project's set-up ran again in it; what you installed yourself is gone. Look (git status, git diff) before you go on, and do again what is missing.`,
  );
}

export function reopenedNote(step: string, standing: Standing): NewEvent {
  return told(
    step,
    'limit',
    `The run goes on: somebody resumed it. Left now: ${remainsText(standing)}. Continue with the task; call finish when it is done.`,
  );
}

/** The warnings, each as an event of the run, and one note for the model. */
export function warningNotes(step: string, standing: Standing, warnings: readonly Warning[]): NewEvent[] {
  if (warnings.length === 0) return [];
  const marks = warnings.map(({ limit, percent }) => `${percent} % of the ${names[limit]}`).join(', ');
  return [
    ...warnings.map((warning): NewEvent => ({ type: 'limit.warned', data: { ...warning } })),
    told(step, 'limit', `You have used ${marks}. Left: ${remainsText(standing)}.`),
  ];
}

export function lastTurnNote(step: string, standing: Standing, limit: Warning['limit']): NewEvent {
  return told(
    step,
    'limit',
    `The limit of ${names[limit]} is nearly reached (left: ${remainsText(standing)}). This is your last turn. Leave the working tree in its best state: if a last small edit helps, make it now, and call finish in the same answer with a summary of what is done and what is left open. What is in the working tree is kept.`,
    { lastTurn: limit },
  );
}

const names: Readonly<Record<Warning['limit'], string>> = {
  costUsd: 'money',
  tokens: 'tokens',
  steps: 'model calls',
  minutes: 'minutes',
};
