import type { Surface } from './surface.ts';

/** What colours mean; used through these names only. */
const codes = {
  bold: [1, 22],
  dim: [2, 22],
  good: [32, 39],
  bad: [31, 39],
  warn: [33, 39],
  signal: [36, 39],
} as const;
export type Tone = keyof typeof codes;

export type Paint = (tone: Tone, text: string) => string;

/** Colours text where the surface shows colour. Colour never carries meaning alone. */
export function paintFor(surface: Pick<Surface, 'isColour'>): Paint {
  if (!surface.isColour) return (_, text) => text;
  return (tone, text) => {
    const [on, off] = codes[tone];
    return text === '' ? '' : `\u001b[${on}m${text}\u001b[${off}m`;
  };
}
