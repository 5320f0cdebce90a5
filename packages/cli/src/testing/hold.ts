import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { FakeOptions } from '@berth/server/testing/fake-control-plane.ts';
import type { ScriptLine } from '@berth/server/testing/fake-run-script.ts';

/**
 * Where a scripted run can be held: just before this event, named by its type and the step, command or model call it is
 * about, as in `step.ended 2:agent`.
 */
export type Place = `${string}.${string} ${string}`;

const lookMs = 10;

/**
 * Holds every run of a data directory before each of the places until `letGo` says to go on, also in another process.
 * What a test looks at then stays until it has been seen, however slow the machine is.
 */
export function holdAt(home: string, places: readonly string[]): NonNullable<FakeOptions['gate']> {
  return async (line) => {
    const place = placeOf(line);
    if (place === null || !places.includes(place)) return;
    // The directory goes with the test: nothing waits longer than that.
    while (existsSync(home) && !existsSync(markOf(home, place))) await sleep(lookMs);
  };
}

/** Lets all runs of the data directory pass the place, now and later. */
export function letGo(home: string, place: Place): void {
  mkdirSync(join(home, 'let-go'), { recursive: true });
  writeFileSync(markOf(home, place), '');
}

function placeOf({ item }: ScriptLine): string | null {
  if (!('event' in item)) return null;
  const { type, data } = item.event;
  for (const name of ['key', 'id', 'callId', 'step'] as const) {
    if (name in data) return `${type} ${String(Reflect.get(data, name))}`;
  }
  return type;
}

function markOf(home: string, place: string): string {
  return join(home, 'let-go', place.replaceAll('/', '-'));
}
