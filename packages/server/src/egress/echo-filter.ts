import { Transform, type TransformCallback } from 'node:stream';
import { createBrotliDecompress, createGunzip, createZstdDecompress } from 'node:zlib';
import { secretForms, shortestSecret } from '../secrets/secret-forms.ts';
import type { RawHeaders } from './request-check.ts';

/** Values shorter than this cannot be told from other text in an answer, so they are not put on requests. */
export const shortestCredential = shortestSecret;

/** What was held back goes on after this time without more, whatever it is. */
const releaseAfterMs = 20;

/** The spellings in which a server may send a credential's value back, as bytes; the longest first. */
export function echoForms(value: string, username: string | null): readonly Buffer[] {
  const texts = new Set(secretForms([{ name: '', value }]).map(({ text }) => text));
  // Base64 of the pair differs from that of the value only in what stands before it, but is whole.
  if (username !== null) texts.add(Buffer.from(`${username}:${value}`).toString('base64'));
  return [...texts].map((text) => Buffer.from(text)).sort((a, b) => b.length - a.length);
}

/** Blanks a value out of the headers of an answer. */
export function withoutEcho(
  headers: RawHeaders,
  forms: readonly Buffer[],
): { readonly headers: string[]; readonly found: boolean } {
  let found = false;
  const clean = headers.map((text) => {
    const bytes = Buffer.from(text, 'latin1');
    if (!blank(bytes, forms, 0)) return text;
    found = true;
    return bytes.toString('latin1');
  });
  return { headers: clean, found };
}

/**
 * Blanks a value out of a body, byte for byte, so that lengths stay true. It holds back as many bytes as the longest
 * form but one, because the value may be cut by chunks. How long it holds them never depends on what they are: if it did,
 * a server that repeats what the sandbox says would tell it the value letter by letter.
 */
export class EchoFilter extends Transform {
  readonly #forms: readonly Buffer[];
  readonly #keep: number;
  readonly #onFound: () => void;
  /** What was let go of last, then what is held back. */
  #tail: Buffer = Buffer.alloc(0);
  #sent = 0;
  #timer: NodeJS.Timeout | null = null;

  constructor(forms: readonly Buffer[], onFound: () => void) {
    super();
    this.#forms = forms;
    this.#keep = Math.max(0, (forms[0]?.length ?? 0) - 1);
    this.#onFound = onFound;
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    const bytes = Buffer.concat([this.#tail, chunk]);
    if (blank(bytes, this.#forms, this.#sent)) this.#onFound();
    this.#release(bytes, bytes.length - this.#keep);
    if (this.#timer === null) this.#timer = setTimeout(() => this.#releaseAll(), releaseAfterMs);
    else this.#timer.refresh();
    done();
  }

  override _flush(done: TransformCallback): void {
    this.#releaseAll();
    this.#stop();
    done();
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#stop();
    done(error);
  }

  #stop(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
  }

  #releaseAll(): void {
    if (!this.destroyed) this.#release(this.#tail, this.#tail.length);
  }

  #release(bytes: Buffer, until: number): void {
    if (until > this.#sent) this.push(bytes.subarray(this.#sent, until));
    const sent = Math.max(this.#sent, until);
    const from = Math.max(0, bytes.length - this.#keep);
    // What was let go of whole may have its memory given back by whoever takes it.
    this.#tail = from === 0 ? Buffer.from(bytes) : bytes.subarray(from);
    this.#sent = Math.max(0, sent - from);
  }
}

/** Overwrites each form from `from` on with asterisks. What lies before is only there to recognise a form by. */
function blank(bytes: Buffer, forms: readonly Buffer[], from: number): boolean {
  let found = false;
  for (const form of forms) {
    for (let at = bytes.indexOf(form); at !== -1; at = bytes.indexOf(form, at + form.length)) {
      if (at + form.length <= from) continue;
      bytes.fill('*', Math.max(at, from), at + form.length);
      found = true;
    }
  }
  return found;
}

/** Undoes the content encoding of an answer; null: there is none, 'unknown': it cannot be read. */
export function decoderFor(encoding: string | undefined): Transform | 'unknown' | null {
  switch ((encoding ?? '').trim().toLowerCase()) {
    case '':
    case 'identity':
      return null;
    case 'gzip':
    case 'x-gzip':
      return createGunzip();
    case 'br':
      return createBrotliDecompress();
    case 'zstd':
      return createZstdDecompress();
    default:
      return 'unknown';
  }
}
