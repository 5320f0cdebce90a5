import { isUnreachable } from '@berth/client';
import type { CommandContext, CommonFlags } from './command-context.ts';
import { failure } from './failure.ts';
import { Interrupt } from './interrupt.ts';
import { Screen } from './live/screen.ts';
import { inPager } from './output/pager.ts';
import type { Session } from './session.ts';

/** What a list or a view shows, in each of its forms. */
export type Shown = {
  /** For people, or tab-separated for pipes; ends with a line feed unless empty. */
  readonly text: string;
  readonly ids: readonly string[];
  /** Notes for people, on stderr. */
  readonly notes?: readonly string[];
  /** Nothing more will change. */
  readonly isOver?: boolean;
} & ({ readonly document: object } | { readonly items: readonly object[]; readonly next: string | null });

export interface PresentFlags extends CommonFlags {
  readonly watch?: boolean;
  readonly pager?: boolean;
}

/** Between two looks of `--watch`. */
const watchMs = 1_000;

/** Shows it once, or with `--watch` again and again. */
export async function present(
  context: CommandContext,
  flags: PresentFlags,
  load: (session: Session) => Promise<Shown>,
): Promise<number> {
  if (flags.watch === true) return watched(context, load);
  const shown = await context.withSession(['api'], load);
  if (context.format === 'json' || context.format === 'jsonl') {
    if ('document' in shown) context.printDocument(shown.document);
    else context.printList(shown.items, shown.next);
  } else if (context.format === 'quiet') for (const id of shown.ids) context.out.write(`${id}\n`);
  else {
    await printLong(context, flags, shown.text);
    for (const note of shown.notes ?? []) context.note(note);
  }
  return 0;
}

/** A text that may be longer than the terminal: in a pager then. Made harmless before. */
export async function printLong(context: CommandContext, flags: PresentFlags, text: string): Promise<void> {
  const { out, io } = context;
  const isLong = text.split('\n').length > out.rows();
  if (!isLong || !out.isMovable || io.stdin.isTTY !== true || flags.pager === false) {
    out.write(text);
    return;
  }
  const stop = new AbortController();
  // Ctrl-C in a pager is the pager's; a request to end is for both.
  const ignore = (): void => undefined;
  const onTerm = (): void => stop.abort();
  process.on('SIGINT', ignore).on('SIGTERM', onTerm);
  try {
    const options = { env: io.env, terminal: 1, less: 'FRX', signal: stop.signal } as const;
    if (!(await inPager(text, options))) out.write(text);
  } finally {
    process.off('SIGINT', ignore).off('SIGTERM', onTerm);
  }
  if (stop.signal.aborted) process.exit(143);
}

/** On a terminal drawn anew in place; elsewhere what is new or different, as it comes. */
async function watched(context: CommandContext, load: (session: Session) => Promise<Shown>): Promise<number> {
  if (context.format === 'json') {
    throw failure('USAGE', '--json is one document, --watch is many.', 'Use --jsonl with --watch.');
  }
  using interrupt = new Interrupt(null);
  // With a worker: this process lasts, and whoever else needs one would wait for it.
  return await context.withSession(['api', 'worker'], async (session) => {
    const screen = context.format === 'text' && context.out.isMovable ? new Screen(context.out) : null;
    const restore = (): void => screen?.end([]);
    process.once('exit', restore);
    let seen = new Set<string>();
    let last: Shown | null = null;
    try {
      while (!interrupt.signal.aborted) {
        last = await again(session, load);
        if (screen !== null) screen.draw([], fitting(context, last));
        else seen = printNew(context, last, seen);
        if (last.isOver === true) return 0;
        await pause(interrupt.signal);
      }
      return interrupt.exitCode;
    } finally {
      process.off('exit', restore);
      screen?.end(last === null ? [] : linesOf(last.text));
    }
  });
}

/** The host may have ended; then somebody has to take over. */
async function again(session: Session, load: (session: Session) => Promise<Shown>): Promise<Shown> {
  try {
    return await load(session);
  } catch (error) {
    if (!isUnreachable(error)) throw error;
    await session.connect();
    return load(session);
  }
}

function fitting({ out, paint }: CommandContext, shown: Shown): string[] {
  const lines = linesOf(shown.text === '' ? `${(shown.notes ?? []).join('\n')}\n` : shown.text);
  const room = Math.max(3, out.rows() - 2);
  const most = lines.length > room ? room - 1 : room;
  const rest = lines.length - most;
  const more = rest > 0 ? [paint('dim', `… ${rest} more lines`)] : [];
  return [...lines.slice(0, most), ...more, paint('dim', 'Ctrl-C ends')];
}

function printNew(context: CommandContext, shown: Shown, seen: ReadonlySet<string>): Set<string> {
  const { format, out } = context;
  const documents = 'document' in shown ? [shown.document] : shown.items;
  const now =
    format === 'jsonl'
      ? documents.map((one) => JSON.stringify(one))
      : format === 'quiet'
        ? shown.ids
        : linesOf(shown.text);
  for (const [place, line] of now.entries()) {
    if (seen.has(line)) continue;
    if (format === 'jsonl') context.printLine(documents[place]!);
    else out.write(`${line}\n`);
  }
  return new Set(now);
}

function linesOf(text: string): string[] {
  return text === '' ? [] : text.replace(/\n$/, '').split('\n');
}

async function pause(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, watchMs);
    signal.addEventListener('abort', done);
  });
}
