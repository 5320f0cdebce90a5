import { neutralised } from './markdown.ts';

/** What Berth has to say, for the parts of a template. */
export interface TemplateBlocks {
  /** Why: what was asked. */
  readonly why: string;
  readonly what: string;
  readonly evidence: string;
}
export type BlockName = keyof TemplateBlocks;

/** A longer template is no form to fill in. */
const maxTemplateCharacters = 8_000;

/** Which heading asks for what; the first that fits. */
const asks: ReadonlyArray<readonly [BlockName, RegExp]> = [
  ['evidence', /\b(?:test(?:s|ed|ing| plan)?|verif\w*|validat\w*|evidence|qa|proof)\b/i],
  ['why', /\b(?:why|motivation|context|background|reason|purpose|problem|task|goal)\b/i],
  ['what', /\b(?:what|changes?|description|summary|overview|proposed|solution|implementation)\b/i],
];

/**
 * A repository's template as text that a forge does nothing with: no comment, tag, image, link, mention, reference, quick
 * action or open fence is left, and nothing in it is ticked. Pure.
 */
export function harmlessTemplate(text: string): string {
  const plain = text
    .slice(0, 4 * maxTemplateCharacters)
    .replaceAll(/\r\n?/g, '\n')
    // An unfinished comment hides all that follows.
    .replaceAll(/<!--[\s\S]*?(?:-->|$)/g, '')
    .replaceAll(/[^\S\n\t ]|[\p{Cc}\p{Cf}\p{Co}\p{Cn}]/gu, (character) =>
      character === '\n' || character === '\t' ? character : '',
    )
    .slice(0, maxTemplateCharacters)
    .replace(/^---\n[\s\S]*?\n---\n/, '');
  return plain
    .split('\n')
    .map(harmlessLine)
    .join('\n')
    .replaceAll(/\n{3,}/g, '\n\n')
    .trim();
}

function harmlessLine(line: string): string {
  // `[name]: address` gives every `[name]` a target.
  if (/^\s{0,3}(?:>\s*)*\[[^\]]*\]:/.test(line)) return '';
  const text = line
    .replaceAll(/!+\[/g, '[')
    .replaceAll(/\]\s*\([^)]*\)?/g, ']')
    .replaceAll(/\]\s*\[[^\]]*\]/g, ']')
    .replaceAll(/\b[a-z][a-z0-9+.-]*:\/\//gi, '')
    .replaceAll(/\bwww\./gi, 'www ')
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll(/[`~]{3,}/g, (fence) => fence.replaceAll(/./g, String.raw`\$&`))
    .replaceAll(/^(\s*(?:[-*+]|\d+[.)])\s+)\[[xX]\]/g, '$1[ ]')
    // Commands of GitLab stand at the beginning of a line.
    .replace(/^(\s*(?:>\s*)*)\//, String.raw`$1\/`);
  return neutralised(text);
}

/**
 * A template with Berth's words below the headings that ask for them; the guidance that stood there is dropped. What
 * asks for nothing we know stays for a person.
 * @returns the blocks that found no heading, for the caller to put behind it
 */
export function fillTemplate(
  template: string,
  blocks: TemplateBlocks,
): { readonly text: string; readonly left: readonly BlockName[] } {
  const left = new Set<BlockName>(['why', 'what', 'evidence']);
  const parts = harmlessTemplate(template).split(/^(?=#{1,6}\s)/m);
  const filled = parts.map((part) => {
    const heading = /^#{1,6}\s+(.*)$/m.exec(part);
    if (heading === null || heading.index !== 0 || /check\s?list/i.test(heading[1]!)) return part.trim();
    const block = asks.find(([name, form]) => left.has(name) && form.test(heading[1]!))?.[0];
    if (block === undefined) return part.trim();
    left.delete(block);
    return `${heading[0]}\n\n${blocks[block]}`;
  });
  return { text: filled.filter((part) => part !== '').join('\n\n'), left: [...left] };
}
