import { delimited } from './delimited.ts';

/** One piece of context that was fetched before the agent starts (`context.prefetched`). */
export interface ContextItem {
  readonly kind: 'rules' | 'map' | 'file' | 'task' | 'link';
  readonly path: string;
  readonly text: string;
  /** Where it comes from: the base commit, the task … */
  readonly provenance: string;
}

export interface Brief {
  readonly task: string;
  /** What the blueprint says to the agent besides the task. */
  readonly instructions?: string;
  readonly items: readonly ContextItem[];
  /** Repository map; made with `repositoryMap`. */
  readonly map?: string;
}

const maxItemCharacters = 32_000;

/**
 * The first message: what was asked, then the context, each piece between lines it cannot forge. The order is
 * the caller's; the same brief gives the same bytes.
 */
export function briefing({ task, instructions, items, map }: Brief): string {
  const sections = [
    `Your task:\n${delimited('task', {}, task)}`,
    instructions === undefined || instructions.trim() === ''
      ? null
      : `Instructions of the project for this step:\n${delimited('instructions', {}, instructions)}`,
    ...ordered(items).map(({ kind, path, text, provenance }) =>
      delimited(kind, { path, from: provenance }, bounded(text)),
    ),
    map === undefined || map === ''
      ? null
      : `The repository (directories with their number of files):\n${delimited('map', {}, map)}`,
  ];
  return sections.filter((section) => section !== null).join('\n\n');
}

/** Rules come first; the rest stays in its order. */
function ordered(items: readonly ContextItem[]): readonly ContextItem[] {
  return [...items.filter((item) => item.kind === 'rules'), ...items.filter((item) => item.kind !== 'rules')];
}

function bounded(text: string): string {
  if (text.length <= maxItemCharacters) return text;
  return `${text.slice(0, maxItemCharacters)}\n[… ${text.length - maxItemCharacters} characters left out]`;
}
