import { onEvent, type OnEvent } from '../domain/on-event.ts';
import { describe, type EventType, type StoredEvent, visible } from '../domain/events/index.ts';

/** Longest record that is handed over, in characters; the agent's briefing takes twice as much of one item. */
const maxCharacters = 16_000;
const maxSaid = 800;

/** The entries a record is made from. */
export const handoverTypes: readonly EventType[] = [
  'message.received',
  'model.answered',
  'tool.ended',
  'check.judged',
  'agent.condensed',
  'agent.finished',
  'step.ended',
];

/**
 * What was said and done in a run, for the agent of one that begins where it stood: people's messages, the agent's own
 * words, one line for each tool call, check and step. When it is too long the oldest part is left out, but for the last
 * condensed summary. The conversation itself is not taken over: its tool calls name a sandbox that is not there. Pure.
 */
export function handoverOf(entries: readonly StoredEvent[]): string {
  const summary = entries.findLast((entry) => entry.type === 'agent.condensed');
  const start =
    summary?.type === 'agent.condensed'
      ? `Summary of the beginning:\n${clip(summary.data.summary, 4_000)}`
      : '';
  const after = summary?.type === 'agent.condensed' ? summary.data.throughSeq : 0;
  const all = entries.flatMap((entry) => (entry.seq > after ? lineOf(entry) : []));
  let room = maxCharacters - start.length;
  const kept: string[] = [];
  for (const line of all.toReversed()) {
    room -= line.length + 1;
    if (room < 0) break;
    kept.unshift(line);
  }
  const omitted = all.length - kept.length;
  const gap = omitted === 0 ? [] : [`[${omitted} older lines left out]`];
  return [...(start === '' ? [] : [start]), ...gap, ...kept].join('\n');
}

const lines: OnEvent<string[]> = {
  'message.received': ({ data }) => [`${data.by} said: ${clip(data.text, maxSaid)}`],
  'model.answered': ({ data }) => {
    const said = data.parts.flatMap((part) => (part.type === 'text' ? [part.text] : []));
    return said.length === 0 ? [] : [`agent: ${clip(said.join(' '), maxSaid)}`];
  },
  'tool.ended': ({ data }) => [`tool: ${clip(data.summary, 200)}${data.isError ? ' (failed)' : ''}`],
  'check.judged': (event) => [describe(event).title],
  'agent.finished': (event) => [describe(event).title],
  'step.ended': (event) => [describe(event).title],
};

function lineOf(entry: StoredEvent): string[] {
  return onEvent(lines, entry) ?? [];
}

function clip(text: string, most: number): string {
  const line = visible(text).trim();
  return line.length <= most ? line : `${line.slice(0, most - 1)}…`;
}
