import type { Event } from '@berth/client';
import { callIdOf, fields } from './event-text.ts';

/**
 * Commands that Berth runs for itself (which files changed, is the tree the proposed one) and nobody asked for: they
 * are in the log and in `berth logs --all`, but not in a view of what happens.
 */
export class Housekeeping {
  readonly #ids = new Set<string>();

  hides(event: Event): boolean {
    const id = callIdOf(event);
    if (id === null) return false;
    if (event.type === 'command.started' && fields(event)['purpose'] === 'other') this.#ids.add(id);
    return event.type.startsWith('command.') && this.#ids.has(id);
  }
}
