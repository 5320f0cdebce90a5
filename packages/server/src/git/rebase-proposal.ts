import { BerthError } from '../domain/errors/index.ts';
import { isAncestor } from './bare-repository.ts';
import { git } from './git-process.ts';
import { acceptTree, type AcceptTree, type Proposal, withQuarantine } from './import-proposal.ts';
import type { Mirror } from './mirror.ts';
import { shownPath, splitNul } from './tree-listing.ts';

export interface RebaseProposal extends Omit<AcceptTree, 'base' | 'tree'> {
  /** The proposal's commit, and the base it stands on. */
  readonly commit: string;
  readonly from: string;
  /** The newest commit of the base branch; in the mirror. */
  readonly onto: string;
}

export type Rebased =
  | { readonly kind: 'rebased'; readonly proposal: Proposal }
  | { readonly kind: 'conflict'; readonly paths: readonly string[] }
  /** The branch does not continue the base: nobody can say what the change would be on it. */
  | { readonly kind: 'rewritten' }
  /** The branch holds the same change already. */
  | { readonly kind: 'there' };

/**
 * Puts a proposal onto a base that moved. The trees are merged in a quarantine by a limited process without keys, and
 * what comes of it is judged like any other change.
 *
 * @throws BerthError as `importProposal`, but for `PROPOSAL_EMPTY`
 */
export async function rebaseProposal(mirror: Mirror, request: RebaseProposal): Promise<Rebased> {
  const { commit, from, onto, signal, ...rest } = request;
  if (!(await isAncestor(mirror.directory, from, onto, signal))) return { kind: 'rewritten' };
  return withQuarantine(mirror, onto.length, signal, async (place): Promise<Rebased> => {
    const merged = await git({
      args: ['merge-tree', '--write-tree', '-z', '--name-only', '--no-messages', onto, commit],
      cwd: place.directory,
      signal,
      okCodes: [0, 1],
      timeoutMs: 120_000,
      ...(place.limits === undefined ? {} : { limits: place.limits }),
    });
    const [tree, ...conflicts] = splitNul(merged.stdout);
    if (merged.exitCode === 1 || tree === undefined) {
      const paths = conflicts.filter((path) => path.length > 0).map(shownPath);
      return { kind: 'conflict', paths: [...new Set(paths)].slice(0, 100) };
    }
    const request = { ...rest, base: onto, tree: tree.toString('latin1'), signal };
    try {
      return { kind: 'rebased', proposal: await acceptTree(mirror, place, request) };
    } catch (error) {
      if (error instanceof BerthError && error.code === 'PROPOSAL_EMPTY') return { kind: 'there' };
      throw error;
    }
  });
}
