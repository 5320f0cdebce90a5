import type { z } from 'zod';
import { agentEvents } from './agent-events.ts';
import type { Importance } from './definition.ts';
import { gateEvents } from './gate-events.ts';
import { runEvents } from './run-events.ts';
import { terminalEvents } from './terminal-events.ts';
import { workEvents } from './work-events.ts';

export type { Importance } from './definition.ts';
export type { RunParent } from './run-events.ts';
export { commandResultSchema, type CommandResult } from './work-events.ts';

/** Every type of event there is. */
export const eventTypes = { ...runEvents, ...gateEvents, ...workEvents, ...agentEvents, ...terminalEvents };

export type EventType = keyof typeof eventTypes;
export type EventData<Type extends EventType> = z.infer<(typeof eventTypes)[Type]['data']>;

/** An event on its way into the log. */
export type NewEvent = {
  [Type in EventType]: { readonly type: Type; readonly data: EventData<Type> };
}[EventType];

/** An event as the log holds it. */
export type StoredEvent = NewEvent & {
  readonly runId: string;
  /** 1, 2, 3 … without gaps, within its run. */
  readonly seq: number;
  /** RFC 3339, by the worker's clock. */
  readonly at: string;
};

/** Title and importance of an event, made on the server so that every surface shows the same. */
export function describe(stored: NewEvent): { title: string; importance: Importance } {
  const definition = eventTypes[stored.type];
  const title = (definition.title as (data: unknown) => string)(stored.data);
  return { title: visible(title), importance: definition.importance };
}

/** Control and bidirectional characters made visible: what people read must be what is there. */
export function visible(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, (character) =>
    character === '\n' || character === '\t' ? ' ' : `\\u{${character.codePointAt(0)!.toString(16)}}`,
  );
}
