import { visible } from '../../domain/events/index.ts';

/**
 * Text that a forge must not act on: no mention notifies anybody, no `fixes #12` closes an issue. A visible space
 * goes in, because hidden characters would make what people read differ from what is there.
 */
export function neutralised(text: string): string {
  return text
    .replaceAll(/@(?=[A-Za-z0-9_-])/g, '@ ')
    .replaceAll(/([#!])(?=\d)/g, '$1 ')
    .replaceAll(/\b(GH|gh)-(?=\d)/g, '$1 ');
}

/** One line of untrusted text for a title: visible, neutralised, without Markdown's meaning for `<`. */
export function titleText(text: string, most = 100): string {
  // A full address of an issue closes it as `#12` does; without its scheme it is no reference.
  const line = neutralised(visible(text).replaceAll(/\b(?:https?|ftp):\/\//gi, ''))
    .replaceAll(/\s+/g, ' ')
    .trim();
  const characters = Array.from(line);
  return characters.length <= most ? line : `${characters.slice(0, most - 1).join('')}…`;
}

/**
 * Text as a block that renders as nothing but text: fenced longer than any fence in it. Inside a fence forges act
 * on nothing; text of others is neutralised all the same, commands (`sh`) stay as they have to be typed.
 */
export function fenced(text: string, info: 'text' | 'sh' = 'text'): string {
  const lines = text
    .split('\n')
    .map((line) => visible(line))
    .join('\n');
  const body = info === 'sh' ? lines : neutralised(lines);
  const longest = Math.max(2, ...Array.from(body.matchAll(/`+/g), ([run]) => run.length));
  const fence = '`'.repeat(longest + 1);
  return `${fence}${info}\n${body}\n${fence}`;
}

/** Untrusted text as a code span that stays inside one table cell. */
export function codeCell(text: string, most = 120): string {
  const shown = visible(text).replaceAll(/\s+/g, ' ').trim();
  const line = shown.length <= most ? shown : `${shown.slice(0, most - 1)}…`;
  if (line === '') return '';
  const longest = Math.max(0, ...Array.from(line.matchAll(/`+/g), ([run]) => run.length));
  const ticks = '`'.repeat(longest + 1);
  const pad = line.startsWith('`') || line.endsWith('`') ? ' ' : '';
  return `${ticks}${pad}${line.replaceAll('|', '\\|')}${pad}${ticks}`;
}

/** `3.1 s`, `2 min 5 s`. */
export function durationText(ms: number): string {
  if (ms < 60_000) return `${(ms / 1000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1000);
  return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
}
