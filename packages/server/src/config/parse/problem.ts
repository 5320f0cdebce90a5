import type { Position } from '../../domain/yaml-positions.ts';

/** One thing that is wrong with a configuration, and where. */
export interface ConfigProblem extends Position {
  /** The key it is about, as people write it: `projects[2].limits.costUsd`; empty: the file as a whole. */
  readonly path: string;
  /** What was found and what is allowed, for people. Never a secret. */
  readonly sentence: string;
}

/** `projects[2].limits`, as people write it. */
export function spell(path: readonly PropertyKey[]): string {
  return path
    .map((part, place) =>
      typeof part === 'number' ? `[${part}]` : place === 0 ? String(part) : `.${String(part)}`,
    )
    .join('');
}

/** In the order in which they stand in the file. */
export function sortProblems(problems: readonly ConfigProblem[]): ConfigProblem[] {
  return [...problems].sort((a, b) => a.line - b.line || a.column - b.column);
}
