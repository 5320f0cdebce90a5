import type { SecretForm } from './secret-forms.ts';

/** Every form has at least this many characters: `shortestSecret` is twice that. */
const prefixLength = 3;
const tableSize = 1 << 16;

export interface FoundForm {
  readonly index: number;
  readonly length: number;
  readonly name: string;
}

/** Looks for many texts at once. */
export interface FormSearch {
  /** The first form at or after `from`, the longest of those that begin there. */
  find(text: string, from: number): FoundForm | null;
  /** The first place from which the end of `text` could be the unfinished beginning of a form. */
  firstPossibleStart(text: string): number;
}

/**
 * A table of beginnings decides for almost every place that nothing begins there. One regular expression with all forms as
 * alternatives went through output at 7 MiB/s with ten secrets and a key file; this does at 70 (two cores, both busy).
 * @param forms longest first
 */
export function formSearch(forms: readonly SecretForm[]): FormSearch {
  const longest = forms[0]?.text.length ?? 0;
  const mayBegin = new Uint8Array(tableSize);
  const byPrefix = new Map<string, SecretForm[]>();
  const byFirst = new Map<string, SecretForm[]>();
  for (const form of forms) {
    mayBegin[slotAt(form.text, 0)] = 1;
    add(byPrefix, form.text.slice(0, prefixLength), form);
    add(byFirst, form.text.slice(0, 1), form);
  }

  const beginningAt = (text: string, at: number): readonly SecretForm[] =>
    mayBegin[slotAt(text, at)] === 1 ? (byPrefix.get(text.slice(at, at + prefixLength)) ?? []) : [];

  return {
    find(text, from) {
      const last = text.length - prefixLength;
      let [one, two] = [text.charCodeAt(from), text.charCodeAt(from + 1)];
      for (let at = from; at <= last; at += 1) {
        const three = text.charCodeAt(at + 2);
        const slot = slotOf(one, two, three);
        one = two;
        two = three;
        if (mayBegin[slot] === 0) continue;
        const form = beginningAt(text, at).find((one) => text.startsWith(one.text, at));
        if (form !== undefined) return { index: at, length: form.text.length, name: form.name };
      }
      return null;
    },
    firstPossibleStart(text) {
      for (let at = Math.max(0, text.length - longest + 1); at < text.length; at += 1) {
        const left = text.length - at;
        const candidates = left < prefixLength ? (byFirst.get(text[at]!) ?? []) : beginningAt(text, at);
        if (candidates.length === 0) continue;
        const tail = text.slice(at);
        if (candidates.some((form) => form.text.length > left && form.text.startsWith(tail))) return at;
      }
      return text.length;
    },
  };
}

function slotAt(text: string, at: number): number {
  return slotOf(text.charCodeAt(at), text.charCodeAt(at + 1), text.charCodeAt(at + 2));
}

function slotOf(one: number, two: number, three: number): number {
  return (one ^ (two << 5) ^ (three << 10)) & (tableSize - 1);
}

function add(map: Map<string, SecretForm[]>, key: string, form: SecretForm): void {
  const present = map.get(key);
  if (present === undefined) map.set(key, [form]);
  else present.push(form);
}
