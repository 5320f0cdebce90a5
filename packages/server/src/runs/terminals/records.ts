import type { EventData } from '../../domain/events/index.ts';
import type { OwnedRun } from '../owned-runs.ts';

/** A terminal as its run's log has it: enough to attach to its shell again. */
export type TerminalRecord = EventData<'terminal.opened'>;

/** Terminals that were opened and not closed. */
export async function openTerminals(run: OwnedRun): Promise<TerminalRecord[]> {
  const entries = await run.log.events({ types: ['terminal.opened', 'terminal.closed'] });
  const open = new Map<string, TerminalRecord>();
  for (const entry of entries) {
    if (entry.type === 'terminal.opened') open.set(entry.data.terminal, entry.data);
    if (entry.type === 'terminal.closed') open.delete(entry.data.terminal);
  }
  return [...open.values()];
}
