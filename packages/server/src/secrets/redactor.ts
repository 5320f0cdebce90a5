import { secretForms, type Secret, type SecretForm } from './secret-forms.ts';

/** Takes secrets out of what is stored or shown. */
export interface Redactor {
  /** Any JSON value: strings and keys at every depth. */
  value(value: unknown): unknown;
  /** Text with every form of every secret replaced by `[secret NAME]`. */
  text(text: string): string;
  /** For text that comes in pieces: see `StreamRedactor`. */
  stream(): StreamRedactor;
}

/** Redacts text that comes in pieces: a secret split over pieces is found too. */
export interface StreamRedactor {
  /** What can be shown now; the rest is held back until it cannot be the beginning of a secret any more. */
  push(piece: string): string;
  /** What was held back, at the end. */
  end(): string;
}

/**
 * Looks for `secrets` in all their forms. A secret without a name is shown as `[secret]`. Values shorter than
 * `shortestSecret` are left out.
 */
export function createRedactor(secrets: readonly (Secret | string)[]): Redactor {
  const forms = secretForms(
    secrets.map((secret) => (typeof secret === 'string' ? { name: '', value: secret } : secret)),
  );
  if (forms.length === 0) {
    return {
      value: (value) => value,
      text: (text) => text,
      stream: () => ({ push: (piece) => piece, end: () => '' }),
    };
  }
  const names = new Map(forms.map((form) => [form.text, form.name]));
  // Longest first, so that of two forms that begin at one place the longer is taken.
  const pattern = new RegExp(forms.map((form) => escapeRegExp(form.text)).join('|'), 'g');
  const text = (input: string): string => input.replaceAll(pattern, (found) => mark(names.get(found) ?? ''));
  return {
    value: (value) => redactValue(value, text),
    text,
    stream: () => streamRedactor(forms, pattern, names),
  };
}

/** `value` without `secrets`. For many values make one redactor. */
export function redact(value: unknown, secrets: readonly (Secret | string)[]): unknown {
  return createRedactor(secrets).value(value);
}

function mark(name: string): string {
  return name === '' ? '[secret]' : `[secret ${name}]`;
}

function escapeRegExp(text: string): string {
  return text.replaceAll(/[\\^$.*+?()[\]{}|/-]/g, String.raw`\$&`);
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

function streamRedactor(
  forms: readonly SecretForm[],
  pattern: RegExp,
  names: ReadonlyMap<string, string>,
): StreamRedactor {
  let held = '';
  const release = (isEnd: boolean): string => {
    let shown = '';
    let at = 0;
    // A match is final only when no longer form could still grow from the same or an earlier place.
    const safe = isEnd ? held.length : firstPossibleStart(held, forms);
    for (const match of held.matchAll(pattern)) {
      if (match.index >= safe) break;
      shown += held.slice(at, match.index) + mark(names.get(match[0]) ?? '');
      at = match.index + match[0].length;
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

/** The first place from which the end of `text` could be the unfinished beginning of a form. */
function firstPossibleStart(text: string, forms: readonly SecretForm[]): number {
  const longest = forms[0]?.text.length ?? 0;
  for (let start = Math.max(0, text.length - longest + 1); start < text.length; start += 1) {
    const tail = text.slice(start);
    if (forms.some((form) => form.text.length > tail.length && form.text.startsWith(tail))) return start;
  }
  return text.length;
}
