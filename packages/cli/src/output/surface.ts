import type { Io, Output } from '../io.ts';

export type ColourChoice = 'auto' | 'always' | 'never';

/** How to write to one stream. */
export interface Surface {
  readonly write: (text: string) => void;
  readonly isTty: boolean;
  readonly isColour: boolean;
  /** Words instead of marks. */
  readonly isAscii: boolean;
  /** Whether the cursor can be moved. */
  readonly isMovable: boolean;
  columns(): number;
  rows(): number;
}

/** Decides once, from the stream, the environment and `--color`. */
export function surfaceOf(output: Output, env: Io['env'], colour: ColourChoice = 'auto'): Surface {
  const isTty = output.isTTY === true;
  const isDumb = env['TERM'] === 'dumb';
  return {
    write: (text) => void output.write(text),
    isTty,
    isColour: wantsColour(isTty, isDumb, env, colour),
    isAscii: isSet(env['BERTH_ASCII']),
    isMovable: isTty && !isDumb,
    columns: () => positive(output.columns) ?? positive(Number(env['COLUMNS'])) ?? 80,
    rows: () => positive(output.rows) ?? 24,
  };
}

/** The flag wins, then NO_COLOR (no-color.org: any non-empty value), then FORCE_COLOR, then the stream. */
function wantsColour(isTty: boolean, isDumb: boolean, env: Io['env'], colour: ColourChoice): boolean {
  if (colour !== 'auto') return colour === 'always';
  if ((env['NO_COLOR'] ?? '') !== '') return false;
  const force = env['FORCE_COLOR'];
  if (force !== undefined) return force !== '0' && force !== 'false';
  return isTty && !isDumb;
}

function isSet(value: string | undefined): boolean {
  return value !== undefined && value !== '' && value !== '0';
}

function positive(value: number | undefined): number | undefined {
  return value !== undefined && Number.isInteger(value) && value > 0 ? value : undefined;
}
