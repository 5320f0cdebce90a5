const escape = String.fromCodePoint(0x1b);
const csi = String.fromCodePoint(0x9b);
const bell = String.fromCodePoint(0x07);

/**
 * Terminal sequences: strings (OSC, DCS …) up to their terminator, CSI, and the short ones. Every repetition is
 * bounded, so that no output makes the match slow.
 */
const ansi = new RegExp(
  `${escape}[\\]PX^_][^${bell}${escape}]{0,4096}(?:${bell}|${escape}\\\\)?|` +
    `(?:${escape}\\[|${csi})[0-?]{0,64}[ -/]{0,8}[@-~]?|` +
    `${escape}[ -/]{0,4}[0-~]?`,
  'g',
);

/**
 * Characters that hide or reorder what follows them: controls, bidirectional marks, zero-width characters but
 * the joiners that scripts and emoji need, and the invisible tag letters.
 */
const hidden =
  /[\p{Cc}\u00AD\u061C\u180E\u200B\u200E\u200F\u2028-\u202E\u2060-\u2069\uFEFF\u{E0000}-\u{E007F}]/gu;

/** Makes hidden characters visible (`\u{202e}`); line breaks and tabs stay. Also mends lone surrogates. */
export function withoutHidden(text: string): string {
  return text
    .toWellFormed()
    .replaceAll(hidden, (character) =>
      character === '\n' || character === '\t' ? character : `\\u{${character.codePointAt(0)!.toString(16)}}`,
    );
}

/**
 * Output of a program as a person would see it on a terminal: no colours, no cursor movement, of a line that was
 * redrawn (progress bars) only its last state, and nothing hidden.
 */
export function cleanOutput(text: string): string {
  const plain = text.replaceAll(ansi, '').replaceAll('\r\n', '\n');
  const settled = plain.includes('\r')
    ? plain
        .split('\n')
        .map((line) => lastDrawn(line))
        .join('\n')
    : plain;
  return withoutHidden(erased(settled));
}

function lastDrawn(line: string): string {
  const drawn = line.split('\r').filter((part) => part !== '');
  return drawn.at(-1) ?? '';
}

/** Backspaces (man pages, spinners) take the character before them away. */
function erased(text: string): string {
  if (!text.includes('\b')) return text;
  const kept: string[] = [];
  for (const character of text) {
    if (character !== '\b') kept.push(character);
    else if (kept.length > 0 && kept.at(-1) !== '\n') kept.pop();
  }
  return kept.join('');
}
