/** The digest of a place that has no configuration file. */
export const noFile = 'none';

/**
 * - `import`: this replica's file becomes the layer of the file.
 * - `same`: it is that already.
 * - `differs`: another file was imported after it, and counts; said as a warning.
 * - `nothing`: no file here, and none was.
 */
export type ImportDecision = 'import' | 'same' | 'differs' | 'nothing';

/**
 * Whether a replica's file becomes what counts. The rule for many replicas: **a file is imported when it changes at its
 * place**, so the newest change wins and a replica that merely restarts with the old file (half-way through a rolling
 * update) does not take it back. A place that is seen for the first time counts as changed. When no living replica
 * holds the imported file any more, whoever has another imports theirs, so that the replicas that stay have the last
 * word. Pure.
 */
export function importDecision(facts: {
  /** Digest of this replica's file; `noFile`: it has none. */
  readonly mine: string;
  /** What this place held when it last said so; null: it never did. */
  readonly knownHere: string | null;
  /** What is imported; null: nothing ever was. */
  readonly imported: string | null;
  /** Whether a living replica other than this one holds what is imported. */
  readonly heldElsewhere: boolean;
}): ImportDecision {
  const { mine, knownHere, imported, heldElsewhere } = facts;
  if (mine === imported) return 'same';
  // A replica that never had a file has nothing to say; one whose file was taken away has.
  if (mine === noFile) {
    if (imported === null || knownHere === null) return 'nothing';
    return knownHere !== noFile && knownHere === imported ? 'import' : 'nothing';
  }
  if (imported === null || knownHere !== mine) return 'import';
  return heldElsewhere ? 'differs' : 'import';
}
