import { createHash } from 'node:crypto';
import type { Message, ModelRequest } from '../../domain/ports/model.ts';

/** The conversation of a request that names none. */
export const defaultPurpose = 'agent';

/** The place of a request on a cassette, read from the request alone. */
export function placeOf(request: Pick<ModelRequest, 'purpose' | 'messages'>): {
  readonly purpose: string;
  readonly turn: number;
} {
  const turn = request.messages.filter((message) => message.role === 'assistant').length;
  return { purpose: request.purpose ?? defaultPurpose, turn };
}

/**
 * Replaces what differs from run to run although nothing has changed. In this order:
 *
 * - UUIDs and run ids (`r_…`) → `<id>`; git object ids and other hex of 7 to 64 digits with a digit and a letter → `<hash>`
 * - ISO times, clock times, dates and Unix times in milliseconds → `<time>`
 * - durations (`12ms`, `1.4 s`, `duration_ms 8.31`) → `<duration>`; sizes are left, they are results
 * - paths under a temporary directory, a home or a sandbox's workspace root → `<path>` and what follows the first
 *   two levels, so that `/tmp/x1/src/a.ts` and `/tmp/x2/src/a.ts` are the same
 * - money and percentages of limits (`$0.0123`), process ids (`pid 123`), ports on loopback → `<n>`
 * - terminal colours and trailing blanks are removed, runs of blanks count as one
 */
export function normalise(text: string): string {
  return (
    text
      // oxlint has no say here: the escape character is what is looked for.
      .replaceAll(new RegExp(`${String.fromCodePoint(27)}\\[[0-9;]*[A-Za-z]`, 'g'), '')
      .replaceAll(/\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b/gi, '<id>')
      .replaceAll(/\b(?:r|s|c|t|p|call|toolu|msg)_[\w]{6,}\b/g, '<id>')
      .replaceAll(
        /\b\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?:Z|[+-]\d{2}:?\d{2})?)?/g,
        '<time>',
      )
      .replaceAll(/\b\d{1,2}:\d{2}:\d{2}(?:\.\d+)?(?: ?[AP]M)?\b/g, '<time>')
      .replaceAll(/\b1[5-9]\d{11}\b/g, '<time>')
      .replaceAll(/\b(?=[0-9a-f]*\d)(?=[0-9a-f]*[a-f])[0-9a-f]{7,64}\b/g, '<hash>')
      .replaceAll(/(?<![\w/])\/(?:tmp|var\/tmp|private\/var|dev\/shm)\/[^\s/'"`:)\]},;]+/g, '<path>')
      .replaceAll(/(?<![\w/])\/(?:home|Users)\/[^\s/'"`:)\]},;]+/g, '<path>')
      .replaceAll(/\bduration_ms:? ?[\d.]+/g, 'duration_ms <duration>')
      .replaceAll(/(?<![\w.])\d+(?:\.\d+)? ?(?:ms|µs|us|ns|s|sec|secs|seconds|min|minutes)\b/g, '<duration>')
      .replaceAll(/\$\d+(?:\.\d+)?/g, '$<n>')
      .replaceAll(/\bpid:? ?\d+/gi, 'pid <n>')
      .replaceAll(/\b(localhost|127\.0\.0\.1|\[::1\]):\d{2,5}\b/g, '$1:<n>')
      .replaceAll(/[ \t]+/g, ' ')
      .replaceAll(/ ?\n/g, '\n')
      .trim()
  );
}

/**
 * One line per message of the request: role, what it is about, and a hash of the whole normalised content. The
 * system text and the tools' descriptions are left out: they are ours, and change with every release without the
 * conversation departing; only the tools' names are in the first line.
 */
export function fingerprintOf(request: Pick<ModelRequest, 'messages' | 'tools'>): readonly string[] {
  const tools = request.tools.map((tool) => tool.name).toSorted();
  return [`tools ${tools.join(' ') || 'none'}`, ...request.messages.map((message) => messageLine(message))];
}

const excerptLength = 80;

function messageLine(message: Message): string {
  const content = messageContent(message);
  const hash = createHash('sha256').update(content).digest('hex').slice(0, 12);
  const excerpt = content.replaceAll(/\s+/g, ' ').slice(0, excerptLength);
  return `${message.role} ${hash} ${excerpt}`;
}

/** A message as normalised text. Ids of calls and the provider's reasoning are left out. */
export function messageContent(message: Message): string {
  switch (message.role) {
    case 'user':
      return normalise(message.parts.map((part) => part.text).join('\n'));
    case 'tool':
      return message.parts
        .map((part) => `${part.name}${part.isError ? ' failed' : ''}: ${normalise(part.text)}`)
        .join('\n');
    case 'assistant':
      return message.parts
        .flatMap((part) => {
          if (part.type === 'reasoning') return [];
          if (part.type === 'text') return [normalise(part.text)];
          return [`${part.name}(${normalise(part.malformed ?? canonicalJson(part.input))})`];
        })
        .join('\n');
  }
}

/** JSON with sorted keys: a conversation that went through a database comes back with its keys in another order. */
export function canonicalJson(value: unknown): string {
  return (
    JSON.stringify(value, (_key, inner: unknown) => {
      if (typeof inner !== 'object' || inner === null || Array.isArray(inner)) return inner;
      return Object.fromEntries(Object.entries(inner).toSorted(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)));
    }) ?? 'null'
  );
}
