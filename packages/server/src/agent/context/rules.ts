import { delimited } from './delimited.ts';

export interface RulesFile {
  /** Path in the repository: `packages/api/AGENTS.md`. */
  readonly path: string;
  readonly text: string;
}

/**
 * The rules files (AGENTS.md, CLAUDE.md) that lie directly in a directory of the BASE commit, never of the
 * sandbox: what an agent or an outside branch writes must not become a rule.
 */
export type RulesReader = (directory: string) => Promise<readonly RulesFile[]>;

/** A rules file is guidance, not an archive. */
const maxRulesCharacters = 24_000;

export function rulesText(files: readonly RulesFile[]): string {
  const shown = files.map(({ path, text }) => {
    const cut =
      text.length <= maxRulesCharacters
        ? text
        : `${text.slice(0, maxRulesCharacters)}\n[… ${text.length - maxRulesCharacters} characters left out]`;
    return delimited('rules', { path }, cut);
  });
  return `Rules of the repository for directories you work in:\n${shown.join('\n')}`;
}
