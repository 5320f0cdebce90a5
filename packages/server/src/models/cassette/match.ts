import type { ModelRequest } from '../../domain/ports/model.ts';
import { fingerprintOf } from './fingerprint.ts';
import type { CassetteEntry, Expectation, Pattern } from './format.ts';

/** Why an entry does not fit a request: what it wanted and what came, in short lines; null when it fits. */
export type Departure = { readonly expected: string; readonly came: string; readonly diff: string } | null;

/** Compares a request with what an entry of a cassette expects. Pure. */
export function departureOf(entry: CassetteEntry, request: ModelRequest): Departure {
  return (
    (entry.fingerprint === undefined
      ? null
      : fingerprintDeparture(entry.fingerprint, fingerprintOf(request))) ??
    (entry.expect === undefined ? null : expectationDeparture(entry.expect, request))
  );
}

/** The line without its excerpt: role and hash, or the whole line of tools. */
const identity = (line: string): string =>
  line.startsWith('tools ') ? line : line.split(' ').slice(0, 2).join(' ');

function fingerprintDeparture(expected: readonly string[], came: readonly string[]): Departure {
  const length = Math.max(expected.length, came.length);
  for (let place = 0; place < length; place++) {
    const wanted = expected[place];
    const got = came[place];
    if (wanted !== undefined && got !== undefined && identity(wanted) === identity(got)) continue;
    const where = place === 0 ? 'the tools' : `message ${place} of ${came.length - 1}`;
    const told = (line: string | undefined): string => line ?? 'nothing';
    return {
      expected: `${where}: ${told(wanted)}`,
      came: told(got),
      diff: [
        ...(wanted === undefined ? [] : [`- ${wanted}`]),
        ...(got === undefined ? [] : [`+ ${got}`]),
      ].join('\n'),
    };
  }
  return null;
}

const shownLength = 300;

function expectationDeparture(expect: Expectation, request: ModelRequest): Departure {
  const checks: readonly [string, Pattern | undefined, () => string][] = [
    ['the last user message', expect.lastUserIncludes, () => lastUser(request)],
    ['the last tool results', expect.lastResultsInclude, () => lastResults(request)],
  ];
  for (const [what, pattern, read] of checks) {
    if (pattern === undefined) continue;
    const text = read();
    if (fits(pattern, text)) continue;
    const wanted = typeof pattern === 'string' ? JSON.stringify(pattern) : `/${pattern.regex}/s`;
    const tail = text.length > shownLength ? `…${text.slice(-shownLength)}` : text;
    return {
      expected: `${what} to include ${wanted}`,
      came: text === '' ? 'none' : tail,
      diff: `- ${wanted}\n+ ${tail.replaceAll('\n', '\n+ ')}`,
    };
  }
  const offered = new Set(request.tools.map((tool) => tool.name));
  const missing = (expect.tools ?? []).filter((name) => !offered.has(name));
  if (missing.length === 0) return null;
  const list = [...offered].join(', ') || 'none';
  return {
    expected: `the tools ${missing.join(', ')}`,
    came: list,
    diff: `- ${missing.join(', ')}\n+ ${list}`,
  };
}

function fits(pattern: Pattern, text: string): boolean {
  return typeof pattern === 'string' ? text.includes(pattern) : new RegExp(pattern.regex, 's').test(text);
}

function lastUser(request: ModelRequest): string {
  const message = request.messages.findLast((item) => item.role === 'user');
  return message === undefined ? '' : message.parts.map((part) => part.text).join('\n');
}

function lastResults(request: ModelRequest): string {
  const from = request.messages.findLastIndex((item) => item.role === 'assistant');
  return request.messages
    .slice(from + 1)
    .flatMap((item) => (item.role === 'tool' ? item.parts.map((part) => part.text) : []))
    .join('\n');
}
