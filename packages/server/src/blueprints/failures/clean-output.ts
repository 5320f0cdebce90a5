const escape = '\u001B';
const bell = '\u0007';
/** Colours, cursor movements and titles: `ESC [ … letter` and `ESC ] … BEL`. */
const sequences = new RegExp(
  `${escape}(?:\\[[0-?]*[ -/]*[@-~]|\\][^${bell}${escape}]*(?:${bell}|${escape}\\\\)|[@-Z\\\\-_])`,
  'g',
);

/** Longest line that is looked at, in characters: minified bundles and data print longer ones. */
const maxLineCharacters = 2_000;

/**
 * Output of a program as plain lines: without terminal sequences and other control characters, overwritten
 * progress lines (`\r`) reduced to what stayed, very long lines cut.
 */
export function cleanLines(output: string): string[] {
  return output
    .replaceAll(sequences, '')
    .split(/\r?\n/)
    .map((line) => {
      const stayed = line.slice(line.lastIndexOf('\r') + 1).replaceAll(/[^\P{Cc}\t]/gu, '');
      return stayed.length <= maxLineCharacters ? stayed : `${stayed.slice(0, maxLineCharacters)}…`;
    });
}

/** `text` in at most `maxBytes` of UTF-8: beginning and end stay, the middle goes, and this is said. */
export function clip(text: string, maxBytes: number): string {
  const bytes = Buffer.from(text);
  if (bytes.byteLength <= maxBytes) return text;
  const room = maxBytes - 64;
  const head = utf8(bytes.subarray(0, Math.floor(room * 0.7)));
  const tail = utf8(bytes.subarray(bytes.byteLength - Math.floor(room * 0.3)));
  return `${head}\n… ${bytes.byteLength - room} bytes left out …\n${tail}`;
}

/** Decodes without the broken characters that a cut leaves at either end. */
function utf8(bytes: Uint8Array): string {
  return Buffer.from(bytes)
    .toString('utf8')
    .replaceAll(/^\uFFFD+|\uFFFD+$/g, '');
}

/**
 * A line without what differs from one run of the same failure to the next: times, temporary directories,
 * addresses, process ids. Counts stay: "3 failed" is not "4 failed".
 */
export function normalise(line: string): string {
  return line
    .replaceAll(/\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d+)?(?:Z|[+-]\d\d:?\d\d)?/g, '<time>')
    .replaceAll(/\b\d\d:\d\d:\d\d(?:[.,]\d+)?\b/g, '<time>')
    .replaceAll(/\b\d+(?:\.\d+)?\s?(?:ns|µs|ms|s|sec|seconds|minutes|min|m)\b/g, '<duration>')
    .replaceAll(/\b0x[0-9a-f]{4,}\b/gi, '<address>')
    .replaceAll(/(?:\/tmp|\/var\/folders)\/[^\s'":)]+/g, '<tmp>')
    .replaceAll(/\b(?:127\.0\.0\.1|localhost|\[::1\]):\d{2,5}\b/g, '<local>')
    .replaceAll(/\bpid[ =:]\s?\d+/gi, '<pid>')
    .replaceAll(/\s+/g, ' ')
    .trim();
}
