import { createHash } from 'node:crypto';
import { withoutHidden } from '../../tools/clean-text.ts';

/**
 * Text from outside, between lines that it cannot forge: the mark is taken from a hash of the text and changed
 * until the text does not hold it. No randomness, so that the same conversation has the same bytes.
 */
export function delimited(kind: string, attributes: Readonly<Record<string, string>>, text: string): string {
  const clean = withoutHidden(text);
  const named = Object.entries(attributes)
    .map(([key, value]) => ` ${key}=${JSON.stringify(withoutHidden(value))}`)
    .join('');
  let mark: string;
  let attempt = 0;
  do {
    mark = createHash('sha256').update(`${kind}\n${named}\n${attempt}\n${clean}`).digest('hex').slice(0, 12);
    attempt++;
  } while (clean.includes(mark) || named.includes(mark));
  return `<${kind}-${mark}${named}>\n${clean}\n</${kind}-${mark}>`;
}
