import { z } from 'zod';
import { event } from './definition.ts';

/** What people did with their own hands in the sandbox of a run. */
export const terminalEvents = {
  /** Recorded before the shell is started; its id makes sandboxd attach instead of starting another. */
  'terminal.opened': event(
    'high',
    z.object({
      terminal: z.string(),
      sandboxId: z.string(),
      /** Principal id. */
      by: z.string(),
      columns: z.number(),
      rows: z.number(),
    }),
    (data) => `${data.by} opened a terminal`,
  ),
  'terminal.typed': event(
    'normal',
    z.object({
      terminal: z.string(),
      by: z.string(),
      /** Lines as typed; null: typed where nothing was echoed (a password, say), and not kept. */
      lines: z.array(z.object({ text: z.string().nullable(), characters: z.number() })),
    }),
    (data) =>
      data.lines.map((line) => line.text ?? `(${line.characters} characters without echo)`).join(' ⏎ '),
  ),
  'terminal.closed': event(
    'high',
    z.object({
      terminal: z.string(),
      by: z.string(),
      reason: z.enum(['exit', 'left', 'idle', 'lost', 'abandoned']),
      exitCode: z.number().nullable(),
      bytesIn: z.number(),
      bytesOut: z.number(),
    }),
    (data) => `the terminal of ${data.by} closed (${data.reason})`,
  ),
};
