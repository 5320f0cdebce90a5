import { harmlessLine, type Event } from '@berth/client';
import { duration } from '../output/units.ts';
import type { Tone } from '../output/style.ts';

/** One settled row: what is shown of an event, or that it folds away. */
export interface Row {
  readonly text: string;
  /** Set at the right edge: exit codes and durations. */
  readonly facts: string;
  readonly tone: Tone | null;
  /** Stands before the text where the terminal shows marks; the text says the same in words. */
  readonly mark: string;
  /** Lines below it, indented. */
  readonly below: readonly string[];
}

const reading = new Set(['read', 'search', 'list']);

/** Reads, searches and lists that went well: neighbours are shown as one row (`read 7 files, 3 searches`). */
export function isReading(event: Event): boolean {
  const data = fields(event);
  return event.type === 'tool.ended' && data['isError'] !== true && reading.has(text(data['name']));
}

export function readingText(names: readonly string[]): string {
  const of = (name: string): number => names.filter((other) => other === name).length;
  const plural = (n: number, one: string, many: string): string =>
    n === 1 ? one : many.replace('#', `${n}`);
  return [
    of('read') === 0 ? '' : plural(of('read'), 'read a file', 'read # files'),
    of('search') === 0 ? '' : plural(of('search'), 'searched once', '# searches'),
    of('list') === 0 ? '' : plural(of('list'), 'listed a directory', 'listed # directories'),
  ]
    .filter((part) => part !== '')
    .join(', ');
}

export function toolNameOf(event: Event): string {
  return text(fields(event)['name']);
}

/** Id of the call that an event begins or ends; live frames carry the same. */
export function callIdOf(event: Event): string | null {
  const data = fields(event);
  const id = data['callId'] ?? data['id'] ?? data['commandId'];
  return typeof id === 'string' ? id : null;
}

/**
 * The row of an event; null for what folds away. The words are the server's title; what is added are facts that
 * every such event carries. A type that this version does not know is shown by its title.
 */
export function rowOf(event: Event): Row | null {
  const data = fields(event);
  const title = harmlessLine(event.title);
  switch (event.type) {
    case 'step.started':
      return row(title, { tone: 'bold', mark: '●' });
    case 'step.ended':
      return data['outcome'] === 'passed'
        ? row(title, { facts: took(data), tone: 'good', mark: '✔' })
        : row(title, { facts: took(data), tone: 'bad', mark: '✖' });
    case 'command.ended':
      return commandRow(data);
    case 'command.started':
    case 'model.requested':
    case 'tool.started':
    case 'agent.briefed':
    case 'context.prefetched':
      return null;
    case 'tool.ended': {
      const isBad =
        data['isError'] === true || (typeof data['exitCode'] === 'number' && data['exitCode'] !== 0);
      // The title of a command ends with its exit code; in a row that stands at the end of the line.
      const code = typeof data['exitCode'] === 'number' ? `exit ${data['exitCode']}` : null;
      const words = code !== null && title.endsWith(` ${code}`) ? title.slice(0, -code.length - 1) : title;
      const exit = code === null ? '' : `${code}  `;
      return row(`  ${words}`, { facts: `${exit}${took(data)}`, tone: isBad ? 'bad' : null });
    }
    case 'model.answered':
      return title.startsWith('calls ') ? null : row(`  ${title}`, { tone: 'dim' });
    case 'check.judged': {
      const isFailed = data['verdict'] === 'failed';
      const failing = isFailed ? failingLines(text(data['failure'])) : [];
      return row(`check ${title}`, {
        facts: took(data),
        tone: isFailed ? 'bad' : 'good',
        mark: isFailed ? '✖' : '✔',
        below: failing,
      });
    }
    case 'egress.decided':
      return data['allowed'] === true ? null : row(`egress ${title}`, { tone: 'warn', mark: '!' });
    case 'run.ended':
      return data['outcome'] === 'succeeded'
        ? row(title, { tone: 'good', mark: '✔' })
        : row(title, { tone: 'bad', mark: '✖' });
    case 'proposal.opened':
      return row(`${title}  ${harmlessLine(text(data['url']))}`, { tone: 'good', mark: '✔' });
    case 'secrets.given': {
      const isExposed = Array.isArray(data['exposed']) && data['exposed'].length > 0;
      return row(title, isExposed ? { tone: 'warn', mark: '!' } : {});
    }
    case 'model.failed':
    case 'sandbox.lost':
    case 'sandbox.noticed':
    case 'limit.warned':
    case 'run.paused':
      return row(title, { tone: 'warn', mark: '!' });
    default:
      return event.importance === 'low' ? null : row(title, {});
  }
}

/** What is appended to a plain line: facts a script or a reader of a log wants in the same place every time. */
export function plainFacts(event: Event): string {
  const data = fields(event);
  const result = typeof data['result'] === 'object' && data['result'] !== null ? data['result'] : {};
  const all = { ...result, ...data } as Record<string, unknown>;
  const parts: string[] = [];
  if (event.type === 'command.ended') parts.push(harmlessLine(text(data['id'])));
  // A check is judged in the work sandbox and again in `verify`: the step says which.
  if (event.type === 'check.judged') parts.push(harmlessLine(text(data['step'])));
  if (typeof all['exitCode'] === 'number' && event.type !== 'command.ended')
    parts.push(`exit=${all['exitCode']}`);
  if (typeof all['durationMs'] === 'number') parts.push(duration(all['durationMs']));
  return parts.map((part) => ` ${part}`).join('');
}

/** Lines of a failure that are shown; the whole output is a command away. */
const failingMost = 6;
/** What package managers print around the command they run. */
const noise = /^(?:> |\$ |npm (?:err|error|warn|notice)\b|\s*$)/i;

/** Words and marks of the first line that says what is wrong, in the test runners and compilers that are known. */
const failureMark = /\b(?:error|fail(?:ed|ure|s)?|not ok|panic|exception|expected|assert\w*)\b|^\s*[✖✗✘×x] /i;

/** The part of a failure that says what failed; where nothing says so, its end. */
export function failingLines(failure: string): string[] {
  const all = lines(failure, Number.POSITIVE_INFINITY);
  const meaning = all.filter((line) => !noise.test(line));
  const from = meaning.findIndex((line) => failureMark.test(line));
  if (from === -1) return (meaning.length === 0 ? all : meaning).slice(-failingMost);
  const rest = meaning.length - from - failingMost;
  if (rest <= 1) return meaning.slice(from);
  return [...meaning.slice(from, from + failingMost), `… ${rest} more lines`];
}

/** The last `most` lines of a text, harmless. */
export function lines(whole: string, most: number): string[] {
  return whole
    .replaceAll('\r\n', '\n')
    .replace(/\n$/, '')
    .split('\n')
    .slice(-most)
    .filter((line) => line !== '')
    .map((line) => harmlessLine(line.slice(line.lastIndexOf('\r') + 1)));
}

function commandRow(data: Record<string, unknown>): Row {
  const result = data['result'] as { exitCode?: unknown; durationMs?: unknown; lost?: unknown } | undefined;
  const isBad = result?.exitCode !== 0;
  const exit =
    result?.lost == null
      ? `exit ${typeof result?.exitCode === 'number' ? result.exitCode : '?'}`
      : `lost: ${text(result.lost)}`;
  const time = typeof result?.durationMs === 'number' ? duration(result.durationMs) : '';
  return {
    text: '',
    facts: `${exit}  ${time}`,
    tone: isBad ? 'bad' : null,
    mark: '',
    below: lines(text(data['tail']), isBad ? 6 : 1),
  };
}

function row(
  shown: string,
  options: {
    readonly facts?: string;
    readonly tone?: Tone | null;
    readonly mark?: string;
    readonly below?: readonly string[];
  },
): Row {
  return {
    text: shown,
    facts: options.facts ?? '',
    tone: options.tone ?? null,
    mark: options.mark ?? '',
    below: options.below ?? [],
  };
}

function took(data: Record<string, unknown>): string {
  return typeof data['durationMs'] === 'number' ? duration(data['durationMs']) : '';
}

/** The data of an event as a record; empty when it is none. */
export function fields(event: Event): Record<string, unknown> {
  return typeof event.data === 'object' && event.data !== null ? (event.data as Record<string, unknown>) : {};
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}
