import {
  type BytesRedactor,
  noRedaction,
  type Redactor,
  type StreamRedactor,
} from '../domain/ports/redaction.ts';
import { type FormSearch, formSearch } from './form-search.ts';
import { secretForms, type Secret } from './secret-forms.ts';

export type { BytesRedactor, Redactor, StreamRedactor } from '../domain/ports/redaction.ts';

/**
 * Looks for `secrets` in all their forms. A secret without a name is shown as `[secret]`. Values shorter than
 * `shortestSecret` are left out.
 */
export function createRedactor(secrets: readonly (Secret | string)[]): Redactor {
  const forms = secretForms(
    secrets.map((secret) => (typeof secret === 'string' ? { name: '', value: secret } : secret)),
  );
  if (forms.length === 0) return noRedaction;
  const inText = formSearch(forms);
  const text = (input: string): string => replaced(input, inText);
  let inBytes: FormSearch | null = null;
  return {
    value: (value) => redactValue(value, text),
    text,
    stream: () => streamRedactor(inText),
    bytes() {
      // Each byte as one character: what is no text is neither lost nor changed, and ASCII is itself.
      inBytes ??= formSearch(forms.map(({ name, text }) => ({ name: asBytes(name), text: asBytes(text) })));
      return bytesRedactor(streamRedactor(inBytes));
    },
  };
}

/** `value` without `secrets`. For many values make one redactor. */
export function redact(value: unknown, secrets: readonly (Secret | string)[]): unknown {
  return createRedactor(secrets).value(value);
}

/** Every form in `text` replaced. */
function replaced(text: string, search: FormSearch): string {
  let shown = '';
  let at = 0;
  for (let found = search.find(text, 0); found !== null; found = search.find(text, at)) {
    shown += text.slice(at, found.index) + mark(found.name);
    at = found.index + found.length;
  }
  return at === 0 ? text : shown + text.slice(at);
}

function asBytes(text: string): string {
  return Buffer.from(text).toString('latin1');
}

function mark(name: string): string {
  return name === '' ? '[secret]' : `[secret ${name}]`;
}

/** Values nested deeper are replaced whole: they come from nobody who means well. */
const deepest = 100;

function redactValue(value: unknown, text: (input: string) => string, depth = 0): unknown {
  if (typeof value === 'string') return text(value);
  if (typeof value !== 'object' || value === null) return value;
  if (depth >= deepest) return '[nested too deeply]';
  if (Array.isArray(value)) return value.map((entry: unknown) => redactValue(entry, text, depth + 1));
  return Object.fromEntries(
    Object.entries(value).map(([key, entry]) => [text(key), redactValue(entry, text, depth + 1)]),
  );
}

function streamRedactor(search: FormSearch): StreamRedactor {
  let held = '';
  const release = (isEnd: boolean): string => {
    let shown = '';
    let at = 0;
    // A match is final only when no longer form could still grow from the same or an earlier place.
    const safe = isEnd ? held.length : search.firstPossibleStart(held);
    for (
      let found = search.find(held, 0);
      found !== null && found.index < safe;
      found = search.find(held, at)
    ) {
      shown += held.slice(at, found.index) + mark(found.name);
      at = found.index + found.length;
    }
    const rest = Math.max(at, safe);
    shown += held.slice(at, rest);
    held = held.slice(rest);
    return shown;
  };
  return {
    push(piece) {
      held += piece;
      return release(false);
    },
    end: () => release(true),
  };
}

function bytesRedactor(stream: StreamRedactor): BytesRedactor {
  return {
    push(piece) {
      const { buffer, byteOffset, byteLength } = piece;
      return Buffer.from(
        stream.push(Buffer.from(buffer, byteOffset, byteLength).toString('latin1')),
        'latin1',
      );
    },
    end: () => Buffer.from(stream.end(), 'latin1'),
  };
}
