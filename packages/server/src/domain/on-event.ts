import type { EventType, StoredEvent } from './events/index.ts';

/** What to do with some types of events; the others mean nothing here. */
export type OnEvent<Result> = {
  readonly [Type in EventType]?: (event: Extract<StoredEvent, { type: Type }>) => Result;
};

/** What the table says of an event; undefined where its type is not in it. */
export function onEvent<Result>(table: OnEvent<Result>, event: StoredEvent): Result | undefined {
  const act = table[event.type] as ((event: StoredEvent) => Result) | undefined;
  return act?.(event);
}
