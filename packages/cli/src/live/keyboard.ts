import { readFileSync } from 'node:fs';
import type { Io } from '../io.ts';
import { KeyDecoder, type Key } from './keys.ts';

/** How long the rest of a sequence may take; a lone escape counts as the key after it. */
const sequenceMs = 50;
const pasteMarksOn = '\u001b[?2004h';
const pasteMarksOff = '\u001b[?2004l';

/** Input of a terminal that can give its keys one by one. */
export interface KeyInput {
  setRawMode(isRaw: boolean): unknown;
  on(event: 'data', listener: (bytes: Uint8Array) => void): unknown;
  off(event: 'data', listener: (bytes: Uint8Array) => void): unknown;
  resume(): unknown;
  pause(): unknown;
}

/** The keys of the terminal, or null where nobody sits in front of one. */
export function keyInputOf(io: Io): KeyInput | null {
  const input: Partial<KeyInput> & { readonly isTTY?: boolean | undefined } = io.stdin;
  if (input.isTTY !== true || input.setRawMode === undefined || io.stderr.isTTY !== true) return null;
  return isForeground() ? (input as KeyInput) : null;
}

/**
 * Whether the terminal is this process's to change; a process in the background that tries is stopped. From
 * proc(5), `/proc/self/stat`: fields 5 (process group) and 8 (the terminal's). Elsewhere it is taken to be.
 */
export function isForeground(): boolean {
  try {
    const stat = readFileSync('/proc/self/stat', 'utf8');
    const [, , , group, , , terminalGroup] = stat.slice(stat.lastIndexOf(')') + 1).split(' ');
    return group === terminalGroup;
  } catch {
    return true;
  }
}

/** Raw mode for as long as it is on; whatever ends the process puts the terminal back. */
export class Keyboard {
  readonly #input: KeyInput;
  readonly #write: (text: string) => void;
  readonly #onKeys: (keys: readonly Key[]) => void;
  #decoder = new KeyDecoder();
  #timer: NodeJS.Timeout | null = null;
  #isOn = false;

  constructor(input: KeyInput, write: (text: string) => void, onKeys: (keys: readonly Key[]) => void) {
    this.#input = input;
    this.#write = write;
    this.#onKeys = onKeys;
  }

  on(): void {
    if (this.#isOn) return;
    this.#isOn = true;
    this.#decoder = new KeyDecoder();
    process.on('exit', this.#off);
    this.#input.on('data', this.#onData);
    this.#input.setRawMode(true);
    this.#input.resume();
    this.#write(pasteMarksOn);
  }

  off(): void {
    if (!this.#isOn) return;
    this.#isOn = false;
    if (this.#timer !== null) clearTimeout(this.#timer);
    process.off('exit', this.#off);
    this.#input.off('data', this.#onData);
    this.#write(pasteMarksOff);
    this.#input.setRawMode(false);
    this.#input.pause();
  }

  readonly #off = (): void => this.off();

  readonly #onData = (bytes: Uint8Array): void => {
    if (this.#timer !== null) clearTimeout(this.#timer);
    const keys = this.#decoder.push(bytes);
    this.#timer = this.#decoder.isWaiting ? setTimeout(this.#onPause, sequenceMs) : null;
    if (keys.length > 0) this.#onKeys(keys);
  };

  readonly #onPause = (): void => {
    const keys = this.#decoder.flush();
    if (keys.length > 0) this.#onKeys(keys);
  };
}
