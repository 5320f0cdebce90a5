const escape = 0x1b;
const bell = 0x07;
const lineFeed = 0x0a;
/** One-character forms of `ESC [` and of the string openers `ESC P`, `ESC X`, `ESC ]`, `ESC ^`, `ESC _`. */
const csi = 0x9b;
const stringOpeners = new Set([0x90, 0x98, 0x9d, 0x9e, 0x9f]);
const stringOpenersAfterEscape = new Set(['P', 'X', ']', '^', '_']);
const stringEnd = 0x9c;

/**
 * Text from outside, made safe to print in a terminal. Escape sequences of terminals are taken out whole; what is
 * left of control, format and bidirectional characters is made visible; tabs become spaces. Line feeds stay.
 */
export function harmless(text: string): string {
  return withoutSequences(text)
    .replaceAll('\r\n', '\n')
    .replaceAll('\t', '    ')
    .replaceAll(/[\p{Cc}\p{Cf}\p{Co}\p{Cs}\u2028\u2029]/gu, shown);
}

/** The same on one line. */
export function harmlessLine(text: string): string {
  return harmless(text).replaceAll('\n', ' ');
}

function shown(character: string): string {
  // U+200D joins the parts of one emoji: it hides nothing, and without it another picture would be shown.
  if (character === '\n' || character === '\u200d') return character;
  return `\\u{${character.codePointAt(0)!.toString(16)}}`;
}

function withoutSequences(text: string): string {
  let kept = '';
  let from = 0;
  for (let place = 0; place < text.length;) {
    const end = endOfSequence(text, place);
    if (end === place) {
      place += 1;
      continue;
    }
    kept += text.slice(from, place);
    place = end;
    from = end;
  }
  return from === 0 ? text : kept + text.slice(from);
}

/** Where the escape sequence that starts at `place` ends; `place` when none starts there. */
function endOfSequence(text: string, place: number): number {
  const code = text.charCodeAt(place);
  if (code === csi) return endOfControl(text, place + 1);
  if (stringOpeners.has(code)) return endOfString(text, place + 1);
  if (code !== escape) return place;
  const next = text[place + 1];
  if (next === undefined) return place + 1;
  if (next === '[') return endOfControl(text, place + 2);
  if (stringOpenersAfterEscape.has(next)) return endOfString(text, place + 2);
  let end = place + 1;
  while (isBetween(text, end, 0x20, 0x2f)) end += 1;
  return isBetween(text, end, 0x30, 0x7e) ? end + 1 : end;
}

function endOfControl(text: string, start: number): number {
  let end = start;
  while (isBetween(text, end, 0x20, 0x3f)) end += 1;
  return isBetween(text, end, 0x40, 0x7e) ? end + 1 : end;
}

/** A string sequence ends at its terminator, or with its line: an unended one may not swallow the rest. */
function endOfString(text: string, start: number): number {
  for (let end = start; end < text.length; end += 1) {
    const code = text.charCodeAt(end);
    if (code === bell || code === stringEnd) return end + 1;
    if (code === lineFeed) return end;
    if (code === escape) return text[end + 1] === '\\' ? end + 2 : end;
  }
  return text.length;
}

function isBetween(text: string, place: number, low: number, high: number): boolean {
  const code = text.charCodeAt(place);
  return code >= low && code <= high;
}
