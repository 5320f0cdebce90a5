import { harmlessLine } from '@berth/client';

/** A text as one word of a shell command that a person copies: as it is where that is safe, quoted elsewhere. */
export function shellWord(text: string): string {
  const shown = harmlessLine(text);
  return /^[\w./:@%+=,][\w./:@%+=,~-]*$/.test(shown) ? shown : `'${shown.replaceAll("'", String.raw`'\''`)}'`;
}
