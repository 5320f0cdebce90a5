/** A secret as redaction knows it. */
export interface Secret {
  /** Shown in its place: `[secret NAME]`. */
  readonly name: string;
  readonly value: string;
}

/** Values shorter than this are not looked for: they would be found everywhere, and guessed anyway. */
export const shortestSecret = 6;
/** A base64 form is looked for only when so many of its characters do not depend on its neighbours. */
const shortestEncoded = 6;

export interface SecretForm {
  readonly name: string;
  /** What is looked for, exactly. */
  readonly text: string;
}

/**
 * Every form in which a secret may turn up in text: plain, base64 and base64url at all three alignments, hex in
 * both cases, URL-encoded in its usual variants, and JSON-escaped. Longest first, so that the longest match wins.
 */
export function secretForms(secrets: readonly Secret[]): SecretForm[] {
  const found = new Map<string, SecretForm>();
  for (const { name, value } of secrets) {
    if (value.length < shortestSecret) continue;
    for (const text of formsOf(value)) if (!found.has(text)) found.set(text, { name, text });
  }
  return [...found.values()].sort((a, b) => b.text.length - a.text.length);
}

function formsOf(value: string): Set<string> {
  const bytes = Buffer.from(value);
  const hex = bytes.toString('hex');
  const forms = new Set([value, hex, hex.toUpperCase()]);
  for (const text of [value, ...value.split(/\r?\n/).map((line) => line.trim())]) {
    // Lines of a key file are secrets of their own, unless they are mere frames.
    if (text.length >= 16 && !text.startsWith('-----')) forms.add(text);
  }
  for (const text of base64Forms(bytes)) {
    forms.add(text);
    forms.add(text.replaceAll('+', '-').replaceAll('/', '_'));
  }
  for (const text of urlForms(value)) forms.add(text);
  for (const text of jsonForms(value)) {
    forms.add(text);
    // JSON within JSON.
    forms.add(JSON.stringify(text).slice(1, -1));
  }
  return forms;
}

/** The characters of base64 that the secret alone decides, wherever it begins within a group of three bytes. */
function base64Forms(bytes: Buffer): string[] {
  return [0, 1, 2].flatMap((before) => {
    const whole = Buffer.concat([Buffer.alloc(before), bytes])
      .toString('base64')
      .replaceAll('=', '');
    const from = Math.ceil((before * 8) / 6);
    const to = Math.floor(((before + bytes.length) * 8) / 6);
    const text = whole.slice(from, to);
    return text.length >= shortestEncoded ? [text] : [];
  });
}

function urlForms(value: string): string[] {
  // A lone surrogate has no URL form.
  const component = encodeURIComponent(value.toWellFormed());
  const strict = component.replaceAll(/[!'()*~]/g, (character) => percent(character));
  const every = [...Buffer.from(value)]
    .map((byte) => `%${byte.toString(16).padStart(2, '0').toUpperCase()}`)
    .join('');
  const form = new URLSearchParams({ v: value }).toString().slice(2);
  const variants = [
    form,
    component,
    strict,
    strict.replaceAll('%20', '+'),
    encodeURI(value.toWellFormed()),
    every,
  ];
  return variants.flatMap((text) => [
    text,
    text.replaceAll(/%[0-9A-F]{2}/g, (escape) => escape.toLowerCase()),
  ]);
}

function percent(character: string): string {
  return `%${character.charCodeAt(0).toString(16).toUpperCase()}`;
}

function jsonForms(value: string): string[] {
  const plain = JSON.stringify(value).slice(1, -1);
  const ascii = plain.replaceAll(
    /[\u007f-\uffff]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
  // As some writers escape for HTML.
  const html = plain.replaceAll(/[<>&']/g, (character) => `\\u00${character.charCodeAt(0).toString(16)}`);
  return [plain, ascii, html, plain.replaceAll('/', String.raw`\/`)];
}
