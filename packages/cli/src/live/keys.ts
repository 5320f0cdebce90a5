import { StringDecoder } from 'node:string_decoder';

/** What was pressed. `paste` is text that a terminal marks as pasted: never a command. */
export type Key =
  | { readonly kind: 'text' | 'paste'; readonly text: string }
  | {
      readonly kind:
        | 'enter'
        | 'tab'
        | 'escape'
        | 'backspace'
        | 'delete-word'
        | 'delete-line'
        | 'interrupt'
        | 'suspend'
        | 'quit'
        | 'redraw';
    };

const escape = '\u001b';
const pasteEnd = `${escape}[201~`;
/** A bell, or the string terminator. */
const stringEnds = ['\u0007', `${escape}\\`];
/** Longest sequence that is waited for; a longer one is thrown away with what belongs to it. */
const maxSequence = 4_096;

const controls: Readonly<Record<string, Exclude<Key['kind'], 'text' | 'paste'>>> = {
  '\r': 'enter',
  '\n': 'enter',
  '\t': 'tab',
  '\u007f': 'backspace',
  '\b': 'backspace',
  '\u0017': 'delete-word',
  '\u0015': 'delete-line',
  '\u0003': 'interrupt',
  '\u001a': 'suspend',
  '\u001c': 'quit',
  '\u000c': 'redraw',
};

/**
 * Turns what a terminal in raw mode sends into keys. Sequences that are no key of ours (arrows, a mouse, a terminal's
 * answer to a question somebody else's output asked) are swallowed whole: none of their bytes becomes text.
 */
export class KeyDecoder {
  readonly #decoder = new StringDecoder('utf8');
  #rest = '';
  #isPasting = false;

  /** Whether the beginning of a sequence waits for the rest; after a pause `flush` says what it was. */
  get isWaiting(): boolean {
    return this.#rest !== '' && !this.#isPasting;
  }

  push(bytes: Uint8Array): Key[] {
    this.#rest += this.#decoder.write(Buffer.from(bytes)).replaceAll('\u009b', `${escape}[`);
    const keys: Key[] = [];
    while (this.#rest !== '') {
      const taken = this.#isPasting ? this.#pasted(keys) : this.#key(keys);
      if (!taken) break;
    }
    return keys;
  }

  /** Nothing came for a moment: a lone escape was the key; the beginning of a sequence was nothing. */
  flush(): Key[] {
    if (this.#isPasting) return [];
    const keys: Key[] = this.#rest === escape ? [{ kind: 'escape' }] : [];
    this.#rest = '';
    return keys;
  }

  #pasted(keys: Key[]): boolean {
    const end = this.#rest.indexOf(pasteEnd);
    if (end !== -1) {
      if (end > 0) keys.push({ kind: 'paste', text: this.#rest.slice(0, end) });
      this.#rest = this.#rest.slice(end + pasteEnd.length);
      this.#isPasting = false;
      return true;
    }
    // The mark of the end may have come in half.
    const last = this.#rest.lastIndexOf(escape);
    const keep = last !== -1 && pasteEnd.startsWith(this.#rest.slice(last)) ? last : this.#rest.length;
    if (keep > 0) keys.push({ kind: 'paste', text: this.#rest.slice(0, keep) });
    this.#rest = this.#rest.slice(keep);
    return false;
  }

  #key(keys: Key[]): boolean {
    if (this.#rest.startsWith(escape)) return this.#sequence(keys);
    const printable = /^[^\p{Cc}]+/u.exec(this.#rest)?.[0];
    if (printable !== undefined) {
      keys.push({ kind: 'text', text: printable });
      this.#rest = this.#rest.slice(printable.length);
      return true;
    }
    const kind = controls[this.#rest.charAt(0)];
    if (kind !== undefined) keys.push({ kind });
    this.#rest = this.#rest.slice(1);
    return true;
  }

  #sequence(keys: Key[]): boolean {
    const length = sequenceLength(this.#rest);
    if (length === null) {
      if (this.#rest.length <= maxSequence) return false;
      this.#rest = '';
      return false;
    }
    const sequence = this.#rest.slice(0, length);
    this.#rest = this.#rest.slice(length);
    if (sequence === escape) keys.push({ kind: 'escape' });
    else if (sequence === `${escape}[200~`) this.#isPasting = true;
    return true;
  }
}

/** Length of the sequence at the beginning of `text`, which starts with an escape; null while it is not whole. */
function sequenceLength(text: string): number | null {
  const next = text[1];
  if (next === undefined) return null;
  // Escape pressed, and then something that begins with an escape of its own.
  if (next === escape) return 1;
  if (next === '[') {
    const control = /^[0-?]*[ -/]*/.exec(text.slice(2))?.[0].length ?? 0;
    return text.length > 2 + control ? 3 + control : null;
  }
  if (next === 'O') return text.length > 2 ? 3 : null;
  if (']PX^_'.includes(next)) {
    const ends = stringEnds.map((end) => ({ at: text.indexOf(end, 2), length: end.length }));
    const found = ends.filter(({ at }) => at !== -1).toSorted((one, other) => one.at - other.at)[0];
    return found === undefined ? null : found.at + found.length;
  }
  return 2;
}
