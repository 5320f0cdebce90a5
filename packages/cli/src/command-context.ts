import { asCalled } from './called-as.ts';
import type { Io } from './io.ts';
import { document, listDocument } from './output/json.ts';
import { paintFor, type Paint } from './output/style.ts';
import { surfaceOf, type ColourChoice, type Surface } from './output/surface.ts';
import { remoteOf, type Remote } from './remote/remote.ts';
import { Session } from './session.ts';
import type { StartOptions } from './server-module.ts';

/** Flags that every command has. */
export interface CommonFlags {
  readonly json?: boolean;
  readonly jsonFields?: string;
  readonly jsonl?: boolean;
  readonly quiet?: boolean;
  readonly color?: ColourChoice;
  readonly input?: boolean;
  readonly exitZero?: boolean;
  /** The newest run of all, instead of an id. */
  readonly last?: boolean;
  readonly yes?: boolean;
  /** Address of a server elsewhere, or `local`. */
  readonly server?: string;
  readonly insecureHttp?: boolean;
}

export type Format = 'text' | 'json' | 'jsonl' | 'quiet';

/** What every command gets. */
export interface CommandContext {
  readonly io: Io;
  readonly format: Format;
  readonly fields: readonly string[] | null;
  readonly out: Surface;
  readonly err: Surface;
  readonly paint: Paint;
  readonly paintErr: Paint;
  /** Whether somebody is there who can be asked, and may be. */
  readonly mayAsk: boolean;
  /** A note for people on stderr; nothing under `--json`, `--jsonl` and `-q`. */
  note(text: string): void;
  /** One document on stdout. */
  printDocument(value: object): void;
  /** One line of `--jsonl`. */
  printLine(value: object): void;
  printList(items: readonly object[], next?: string | null): void;
  /** Connects, does the work, and ends the hosted server whatever happens. */
  withSession<Result>(
    parts: StartOptions['parts'],
    work: (session: Session) => Promise<Result>,
    options?: { readonly mayHost?: boolean; readonly isLocal?: boolean },
  ): Promise<Result>;
  /** The server elsewhere that the command is about; null: that of the data directory. */
  remote(): Promise<Remote | null>;
}

export function commandContext(io: Io, flags: CommonFlags): CommandContext {
  const out = surfaceOf(io.stdout, io.env, flags.color);
  const err = surfaceOf(io.stderr, io.env, flags.color);
  const format = formatOf(flags);
  const fields = flags.jsonFields?.split(',').filter((field) => field !== '') ?? null;
  const paintErr = paintFor(err);
  const note = (text: string): void => {
    if (format === 'text') err.write(`${asCalled(text, io.env)}\n`);
  };
  const printDocument = (value: object): void => out.write(document(value, out.isTty, fields));
  const printLine = (value: object): void => out.write(document(value, false, fields));
  return {
    io,
    format,
    fields,
    out,
    err,
    paint: paintFor(out),
    paintErr,
    mayAsk: flags.input !== false && io.stdin.isTTY === true && err.isTty,
    note,
    printDocument,
    printLine,
    printList: (items, next = null) => {
      if (format === 'jsonl') for (const item of items) printLine(item);
      else printDocument(listDocument(items, next));
    },
    remote: async () => remoteOf(io, flags),
    withSession: async (parts, work, { isLocal = false, ...options } = {}) => {
      const session = new Session({
        io,
        parts,
        // Who only looks is not told what a server does; who waits for work is.
        onProgress: (sentence) => {
          if (parts.includes('worker')) note(paintErr('dim', sentence));
        },
        ...options,
        remote: isLocal ? null : await remoteOf(io, flags),
      });
      try {
        await session.connect();
        return await work(session);
      } finally {
        await session.close();
      }
    },
  };
}

function formatOf(flags: CommonFlags): Format {
  if (flags.json === true) return 'json';
  if (flags.jsonl === true) return 'jsonl';
  return flags.quiet === true ? 'quiet' : 'text';
}
