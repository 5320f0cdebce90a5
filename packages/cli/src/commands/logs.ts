import { followRun, harmless, type Event } from '@berth/client';
import type { CommandContext, CommonFlags } from '../command-context.ts';
import { runIdOf } from '../run-id.ts';
import { exitCodeOf, isEnded } from '../exit-codes.ts';
import { timeoutOf } from '../follow.ts';
import { Interrupt } from '../interrupt.ts';
import { plainLine } from '../live/plain-view.ts';
import { SettledRows } from '../live/settled-rows.ts';
import { document } from '../output/json.ts';
import { printLong } from '../present.ts';
import type { Session } from '../session.ts';

export interface LogsFlags extends CommonFlags {
  readonly follow?: boolean;
  readonly all?: boolean;
  readonly output?: string;
  readonly timeout?: string;
  readonly pager?: boolean;
}

/** Events asked for at once. */
const pageSize = 500;

/** `berth logs`: the log as lines on stdout; with `-f` to the end of the run, whose exit code it takes then. */
export async function logs(
  context: CommandContext,
  flags: LogsFlags,
  id: string | undefined,
): Promise<number> {
  const timeoutMs = timeoutOf(flags.timeout);
  let long = '';
  const parts = flags.follow === true ? (['api', 'worker'] as const) : (['api'] as const);
  const code = await context.withSession(parts, async (session) => {
    const run = await session.client.getRun(
      await runIdOf(session, { id, last: flags.last, cwd: context.io.cwd }),
    );
    if (flags.output !== undefined) return output(context, session, run.id, flags.output);
    return flags.follow === true && !isEnded(run.status.state)
      ? followLog(context, flags, session, run.id, timeoutMs)
      : wholeLog(context, flags, session, run.id, (text) => (long += text));
  });
  // Only now: a pager may be open for long, and nobody else should wait for this process meanwhile.
  if (long !== '') await printLong(context, flags, long);
  return code;
}

async function wholeLog(
  context: CommandContext,
  flags: LogsFlags,
  session: Session,
  id: string,
  printLater: (text: string) => void,
): Promise<number> {
  const all: Event[] = [];
  const printer = printerFor(context, flags);
  let long = '';
  for (let after = 0; ;) {
    const { events } = await session.client.listEvents(id, { after, limit: pageSize });
    for (const event of events) {
      after = event.seq;
      if (context.format === 'json') all.push(event);
      else if (context.out.isTty) long += printer.text(event);
      else context.out.write(printer.text(event));
    }
    if (events.length < pageSize) break;
  }
  if (context.format === 'json') context.printList(all);
  printLater(long + printer.rest());
  return 0;
}

async function followLog(
  context: CommandContext,
  flags: LogsFlags,
  session: Session,
  id: string,
  timeoutMs: number | null,
): Promise<number> {
  using interrupt = new Interrupt(timeoutMs);
  const all: object[] = [];
  const printer = printerFor(context, flags);
  const followed = followRun(session.client, id, {
    signal: interrupt.signal,
    reconnect: async () => session.connect(),
  });
  for await (const item of followed) {
    if (!('event' in item)) continue;
    if (context.format === 'json') all.push(item.event);
    else context.out.write(printer.text(item.event));
  }
  if (context.format !== 'json') context.out.write(printer.rest());
  if (context.format === 'json') context.printList(all);
  if (interrupt.cause === null) return exitCodeOf((await session.client.getRun(id)).status);
  if (session.isHost) await session.client.pause(id, 'Interrupted').catch(() => undefined);
  context.note(
    session.isHost
      ? `Paused; nothing is lost. Go on: \`berth resume ${id}\``
      : `The run goes on. \`berth logs -f ${id}\` · \`berth cancel ${id}\``,
  );
  return interrupt.exitCode;
}

/** The text of one event after the other. */
interface LogPrinter {
  text(event: Event): string;
  /** What waited for more of its kind. */
  rest(): string;
}

/** Rows as in the live view on a terminal; elsewhere, and with `--all`, one line per event. */
function printerFor(context: CommandContext, flags: LogsFlags): LogPrinter {
  const { format, out, paint } = context;
  if (format === 'text' && out.isTty && flags.all !== true) {
    const rows = new SettledRows(paint, out.isAscii);
    const joined = (lines: readonly string[]): string => lines.map((line) => `${line}\n`).join('');
    return {
      text: (event) => joined(rows.push(event, out.columns())),
      rest: () => joined(rows.flush(out.columns())),
    };
  }
  return {
    text: (event) => {
      if (format === 'jsonl') return document(event, false, context.fields);
      if (format === 'quiet') return `${event.seq}\n`;
      return flags.all === true || event.importance !== 'low' ? `${plainLine(event)}\n` : '';
    },
    rest: () => '',
  };
}

/** Bytes as they are into a pipe; made harmless where a terminal would obey them. */
async function output(
  context: CommandContext,
  session: Session,
  id: string,
  callId: string,
): Promise<number> {
  const decoder = new TextDecoder();
  for await (const bytes of await session.client.output(id, callId)) {
    if (context.out.isTty) context.out.write(harmless(decoder.decode(bytes, { stream: true })));
    else process.stdout.write(bytes);
  }
  return 0;
}
