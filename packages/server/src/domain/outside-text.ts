import { createHash } from 'node:crypto';

/** Controls, bidirectional marks, zero-width characters and joiners, invisible letters of tags, variation selectors. */
const invisible = /[\p{Cc}\p{Cf}\p{Variation_Selector}\p{Default_Ignorable_Code_Point}\u2028\u2029]/gu;

/**
 * Text of somebody else as people saw it: without characters and HTML that hide from them what a machine reads, and
 * without mentions, so that whoever repeats it notifies nobody. Line breaks and tabs stay. Repeating it changes nothing.
 */
export function cleanOutsideText(text: string): string {
  const plain = text
    .toWellFormed()
    .replaceAll('\r\n', '\n')
    .replaceAll(invisible, (character) => (character === '\n' || character === '\t' ? character : ''));
  return withoutMentions(withoutHiddenHtml(plain)).trim();
}

/** What a mention would be is shown, and is none. */
function withoutMentions(text: string): string {
  return text.replaceAll(/@(?=[A-Za-z0-9_-])/g, '@ ');
}

/** Elements whose contents nobody sees. */
const unseen = ['script', 'style', 'template', 'noscript', 'title', 'head'];

/**
 * Takes out comments (also what a browser takes for one, and one that is never closed), elements that are not shown and
 * Markdown's way of writing comments. Taking one out can make another: until none is left. Linear in each round, and
 * each round takes something away; after ten what still opens one is broken.
 */
function withoutHiddenHtml(text: string): string {
  let rest = text;
  for (let round = 0; round < 10; round += 1) {
    const before = rest;
    rest = cut(rest, '<!--', '-->');
    rest = cut(rest, '<?', '>');
    rest = cut(rest, '<!', '>');
    for (const name of unseen) rest = cutElement(rest, name);
    rest = rest
      .split('\n')
      .filter((line) => !/^ {0,3}\[[^\]\n]{0,200}\]:\s*(#|<>)/.test(line))
      .join('\n');
    if (rest === before) return rest;
  }
  return rest.replaceAll(/<(?=[!?])/g, '< ');
}

function cut(text: string, open: string, close: string): string {
  let kept = '';
  let at = 0;
  for (;;) {
    const from = text.indexOf(open, at);
    if (from === -1) return kept + text.slice(at);
    kept += text.slice(at, from);
    const to = text.indexOf(close, from + open.length);
    if (to === -1) return kept;
    at = to + close.length;
  }
}

function cutElement(text: string, name: string): string {
  const lower = text.toLowerCase();
  // Letters whose lower case is longer would shift places.
  if (lower.length !== text.length) return text.replaceAll(new RegExp(`<(?=/?${name}\\b)`, 'gi'), '< ');
  let kept = '';
  let at = 0;
  for (;;) {
    let from = lower.indexOf(`<${name}`, at);
    while (from !== -1 && /[a-z0-9-]/.test(lower[from + name.length + 1] ?? '')) {
      from = lower.indexOf(`<${name}`, from + 1);
    }
    if (from === -1) return kept + text.slice(at);
    kept += text.slice(at, from);
    const to = lower.indexOf(`</${name}`, from);
    const end = to === -1 ? -1 : lower.indexOf('>', to);
    if (end === -1) return kept;
    at = end + 1;
  }
}

/** One clean line, at most so many characters. */
export function outsideLine(text: string, most = 120): string {
  const characters = Array.from(cleanOutsideText(text).replaceAll(/\s+/g, ' ').trim());
  return characters.length <= most ? characters.join('') : `${characters.slice(0, most - 1).join('')}…`;
}

/** Text from outside with where it is from and how far it is trusted. */
export interface OutsideText {
  readonly source: string;
  readonly author: string | null;
  /** What its author may do there, or `unknown`. */
  readonly trust: string;
  readonly text: string;
}

/**
 * Marks text as data, between lines that it cannot forge: the mark is a hash over all of it, changed until nothing
 * inside holds it. Longer text is cut, and says so. Pure: the same text has the same bytes.
 * @param most characters
 */
export function fencedOutside({ source, author, trust, text }: OutsideText, most: number): string {
  const characters = Array.from(cleanOutsideText(text));
  const left = characters.length - most;
  const body = left <= 0 ? characters.join('') : characters.slice(0, most).join('');
  const attributes = [
    ` source=${quoted(source)}`,
    ...(author === null ? [] : [` author=${quoted(author)}`]),
    ` trust=${quoted(trust)}`,
  ].join('');
  let mark: string;
  let attempt = 0;
  do {
    mark = createHash('sha256').update(`${attempt}\n${attributes}\n${body}`).digest('hex').slice(0, 12);
    attempt += 1;
  } while (body.includes(mark) || attributes.includes(mark));
  const cutNote = left <= 0 ? '' : `\n(${left} more characters were left out)`;
  return `<data-${mark}${attributes}>\n${body}\n</data-${mark}>${cutNote}`;
}

function quoted(text: string): string {
  return JSON.stringify(outsideLine(text, 200)).replaceAll('<', '(').replaceAll('>', ')');
}
