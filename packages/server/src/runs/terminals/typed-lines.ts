import { stripVTControlCharacters } from 'node:util';

/** One line as the log keeps it; null: it was not echoed, so nobody could read it on the screen either. */
export interface TypedLine {
  readonly text: string | null;
  readonly characters: number;
}

const longestLine = 2_000;
const longestEcho = 16_384;

/**
 * Gathers what a person types into lines. A line is kept only when the terminal showed it: what is typed where echo is
 * off (passwords, tokens) is counted and not kept. Whether it was shown is decided when the next line begins, or when the
 * lines are taken after the output had time to come.
 */
export class TypedLines {
  #line: string[] = [];
  #echo = '';
  #waiting: { readonly text: string; echo: string } | null = null;
  #done: TypedLine[] = [];
  #inEscape = false;
  readonly #decoder = new TextDecoder();
  readonly #echoDecoder = new TextDecoder();

  typed(data: Uint8Array): void {
    for (const character of this.#decoder.decode(data, { stream: true })) this.#type(character);
  }

  shown(data: Uint8Array): void {
    const text = stripVTControlCharacters(this.#echoDecoder.decode(data, { stream: true }));
    if (this.#waiting !== null) this.#waiting.echo = written(this.#waiting.echo, text);
    this.#echo = written(this.#echo, text);
  }

  /** Whether there is a line to be taken. */
  get isEmpty(): boolean {
    return this.#done.length === 0 && this.#waiting === null;
  }

  /** The lines so far; the last one is decided by what was shown until now. */
  take(): TypedLine[] {
    this.#decide();
    return this.#done.splice(0);
  }

  #type(character: string): void {
    if (this.#inEscape) {
      // The end of a key's sequence (arrows, function keys): a letter or ~.
      if (/[A-Za-z~]/.test(character) && character !== 'O') this.#inEscape = false;
      return;
    }
    switch (character) {
      case '\r':
      case '\n':
        this.#end();
        break;
      case '\u007f':
      case '\b':
        this.#line.pop();
        break;
      case '\u0003':
      case '\u0015':
        this.#line = [];
        break;
      case '\u001b':
        this.#inEscape = true;
        break;
      default:
        if (this.#line.length === 0) this.#begin();
        if (character >= ' ' && this.#line.length < longestLine) this.#line.push(character);
    }
  }

  #begin(): void {
    this.#decide();
    this.#echo = '';
  }

  #end(): void {
    if (this.#line.length === 0) return;
    this.#decide();
    this.#waiting = { text: this.#line.join(''), echo: this.#echo };
    this.#line = [];
  }

  #decide(): void {
    if (this.#waiting === null) return;
    const { text, echo } = this.#waiting;
    const wasShown = squeezed(echo).includes(squeezed(text));
    this.#done.push({ text: wasShown ? text : null, characters: text.length });
    this.#waiting = null;
  }
}

/** A long line is wrapped by the shell: blanks and ends of lines do not count. */
function squeezed(text: string): string {
  return text.replaceAll(/\s+/g, '');
}

/** What stands on the screen after more was written to it: a backspace takes the character before it back. */
function written(before: string, text: string): string {
  let after = before;
  for (const character of text) {
    if (character === '\b') after = after.slice(0, -1);
    else if (/\s|\P{Cc}/u.test(character)) after += character;
  }
  return after.slice(-longestEcho);
}
