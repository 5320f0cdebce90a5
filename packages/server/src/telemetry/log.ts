import pino, { type Logger } from 'pino';
import { prettyLine } from './pretty-line.ts';

export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'silent';
const levels: readonly string[] = ['trace', 'debug', 'info', 'warn', 'error', 'silent'];

export type LogFields = Readonly<Record<string, unknown>>;

/** One line per thing that happened: a short sentence that stays the same, and the facts as fields. */
export interface Log {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  /** `fields.error` is written with code and stack. */
  error(message: string, fields?: LogFields): void;
  /** A log whose every line has these fields too. */
  with(fields: LogFields): Log;
}

export interface LogOptions {
  /** Where lines go, newline included. */
  readonly write: (line: string) => void;
  /** For people at a terminal instead of JSON. */
  readonly pretty?: boolean;
  /** `BERTH_LOG`; what is no level counts as `info`. */
  readonly level?: string | undefined;
  /** Takes secrets out of every message and field before it is written. */
  readonly redact?: (value: unknown) => unknown;
}

/** Structured logs: JSON lines with `time` (RFC 3339), `level`, `msg` and fields. Never throws, never waits. */
export function createLog(options: LogOptions): Log {
  const { write, pretty = false, redact = (value) => value } = options;
  const level = options.level !== undefined && levels.includes(options.level) ? options.level : 'info';
  const logger = pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    { write: (line) => write(pretty ? prettyLine(line) : line) },
  );
  return logOver(logger, redact, {});
}

/** For whoever was given no log. */
export const silentLog: Log = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  with: () => silentLog,
};

function logOver(logger: Logger, redact: (value: unknown) => unknown, own: LogFields): Log {
  const at =
    (level: 'debug' | 'info' | 'warn' | 'error') =>
    (message: string, fields: LogFields = {}): void => {
      if (!logger.isLevelEnabled(level)) return;
      const facts = Object.fromEntries(
        Object.entries({ ...own, ...fields }).map(([name, value]) => [name, plain(value)]),
      );
      logger[level](redact(facts) as object, String(redact(message)));
    };
  return {
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    with: (fields) => logOver(logger, redact, { ...own, ...fields }),
  };
}

/** Errors as data, so that redaction sees all of their text. */
function plain(value: unknown): unknown {
  if (!(value instanceof Error)) return value;
  const code = 'code' in value ? { code: value.code } : {};
  const cause = value.cause === undefined ? {} : { cause: plain(value.cause) };
  return { ...code, message: value.message, stack: value.stack, ...cause };
}
