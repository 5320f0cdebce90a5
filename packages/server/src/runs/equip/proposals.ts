import type { ChangedFile, ProposalStore } from '../../blueprints/index.ts';
import { BerthError } from '../../domain/errors/index.ts';
import type { Blobs } from '../../domain/ports/blobs.ts';
import type { Forge } from '../../domain/ports/forge.ts';
import type { RunState } from '../../domain/run-state.ts';
import { diff, diffStat } from '../../git/diff.ts';
import { gitText } from '../../git/git-process.ts';
import { importProposal } from '../../git/import-proposal.ts';
import { protectedBy } from '../../git/proposal-paths.ts';
import { blockingFinding } from '../../git/proposal-policy.ts';
import { push } from '../../git/push.ts';
import type { RunRepository } from './repository.ts';

export interface ProposalStoreParts {
  readonly repository: RunRepository;
  readonly blobs: Blobs;
  readonly forge: Forge;
  /** Values that must not leave in a change. */
  readonly knownSecrets: readonly string[];
  state(): RunState;
}

/** Joins `git/` with the steps: everything here happens outside of every sandbox. */
export function proposalStore(parts: ProposalStoreParts): ProposalStore {
  const { repository } = parts;
  return {
    async treeOf(commit, signal) {
      const { directory } = await repository.mirror();
      return gitText({
        args: ['rev-parse', '--verify', '--end-of-options', `${commit}^{tree}`],
        cwd: directory,
        signal,
      });
    },
    async importProposal({ base, blob, tree, signal }) {
      const proposal = await importProposal(await repository.mirror(), {
        ...identity(parts.state()),
        base,
        tree,
        pack: await parts.blobs.get(blob),
        // The blueprint's protected paths are weighed by the propose step, which can still open a draft.
        protectedPaths: [],
        knownSecrets: parts.knownSecrets,
        signal,
      });
      const refused = blockingFinding(proposal.findings.filter((finding) => finding.kind === 'secret'));
      if (refused !== null) throw refused;
      const { files, added, removed } = proposal.stat;
      return { commit: proposal.commit, tree: proposal.tree, files, added, removed };
    },
    diff: async ({ base, commit, maxBytes, signal }) =>
      diff(await repository.mirror(), base, commit, { maxBytes, signal }),
    async changedFiles({ base, commit, pathspecs, signal }) {
      const { perFile } = await diffStat(await repository.mirror(), base, commit, signal);
      const matches = (file: ChangedFile): boolean =>
        pathspecs === undefined || protectedBy(file.path, pathspecs) !== null;
      return perFile.filter(matches);
    },
    readFileAt: (commit, path) => repository.text(commit, path),
    async push({ commit, branch, expected, signal }) {
      await push(await repository.mirror(), await parts.forge.pushTarget(), {
        branch,
        commit,
        expected,
        signal,
      });
    },
    async keep({ commit, branch, signal }) {
      const { directory } = await repository.mirror();
      await gitText({
        args: ['update-ref', '--end-of-options', `refs/berth/kept/${branch}`, commit],
        cwd: directory,
        signal,
      });
    },
  };
}

/** What makes the proposal's commit the same whenever it is made again. */
function identity(state: RunState): {
  taskId: string;
  runId: string;
  title: string;
  body: string;
  atMs: number;
} {
  const { created, createdAt, runId } = state;
  if (created === null || createdAt === null)
    throw new BerthError('INTERNAL', 'A run without its first entry.');
  return { taskId: created.taskId, runId, title: created.title, body: '', atMs: Date.parse(createdAt) };
}

/** Longest difference that is shown as a whole. */
const maxDiffBytes = 4 * 1024 * 1024;

/** What a run has changed so far: its proposal, or else its last checkpoint, against the base. Empty: nothing. */
export async function diffOf(
  state: RunState,
  repository: RunRepository,
  blobs: Blobs,
  signal: AbortSignal,
): Promise<string> {
  const { plan, proposal, checkpoint } = state;
  if (plan === null) return '';
  const mirror = await repository.mirror();
  const base = plan.base.commit;
  const shown = async (commit: string): Promise<string> => {
    const { text, truncated } = await diff(mirror, base, commit, { maxBytes: maxDiffBytes, signal });
    return truncated ? `${text}\n[cut after ${maxDiffBytes / 1024 / 1024} MiB]\n` : text;
  };
  if (proposal !== null) return shown(proposal.commit);
  if (checkpoint === null || checkpoint.files === 0) return '';
  const pack = await blobs.get(checkpoint.blob);
  const request = {
    ...identity(state),
    base,
    tree: checkpoint.proposalTree,
    pack,
    protectedPaths: [],
    signal,
  };
  return shown((await importProposal(mirror, request)).commit);
}
