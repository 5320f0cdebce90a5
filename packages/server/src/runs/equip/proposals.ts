import type { MadeProposal, ProposalStore } from '../../blueprints/index.ts';
import type { Blobs } from '../../domain/ports/blobs.ts';
import type { Forge } from '../../domain/ports/forge.ts';
import { type ProposalPolicy, tightened } from '../../domain/proposal-policy.ts';
import type { RunState } from '../../domain/run-state.ts';
import { branchNow } from '../../git/branch-now.ts';
import { diff, diffStat } from '../../git/diff.ts';
import { gitText } from '../../git/git-process.ts';
import { withMirrorLock } from '../../git/mirror.ts';
import { diffOfCheckpoint, importProposal, type Proposal } from '../../git/import-proposal.ts';
import type { CoAuthor, CommitMaker } from '../../git/proposal-commit.ts';
import { readTemplate } from '../../git/read-template.ts';
import { type Rebased, rebaseProposal } from '../../git/rebase-proposal.ts';
import { withoutTokens } from '../../git/secret-scan.ts';
import { push } from '../../git/push.ts';
import { policyFindings } from './finding-sentences.ts';
import type { RunRepository } from './repository.ts';

export interface ProposalStoreParts {
  readonly repository: RunRepository;
  readonly blobs: Blobs;
  readonly forge: Forge;
  /** Values that must not leave in a change. */
  knownSecrets(): readonly string[];
  /** For the words of a commit. */
  redact(text: string): string;
  /** What the configuration allows, now and when the run was planned. */
  policy(): ProposalPolicy;
  coAuthors(): Promise<readonly CoAuthor[]>;
  /** @throws BerthError when the key cannot be read */
  maker(signal: AbortSignal): Promise<CommitMaker>;
  /** Throws when the run is not ours any more. */
  readonly assertHeld: () => void;
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
    async importProposal({ base, blob, tree, ...request }) {
      const pack = await parts.blobs.get(blob);
      const common = await requestOf(parts, request);
      return made(await importProposal(await repository.mirror(), { ...common, base, tree, pack }));
    },
    async branchNow(ref, signal) {
      const mirror = await repository.refreshed();
      // On every other host the source is the place where it is merged.
      const isElsewhere = parts.forge.kind === 'local';
      const target = isElsewhere ? await parts.forge.pushTarget() : null;
      return mirror === null ? null : branchNow(mirror, target, ref, signal);
    },
    async rebase({ commit, from, onto, ...request }) {
      const common = await requestOf(parts, request);
      const answer: Rebased = await rebaseProposal(await repository.mirror(), {
        ...common,
        commit,
        from,
        onto,
      });
      return answer.kind === 'rebased' ? { kind: 'rebased', made: made(answer.proposal) } : answer;
    },
    template: async (commit, signal) => readTemplate(await repository.mirror(), commit, signal),
    diff: async ({ base, commit, maxBytes, signal }) =>
      diff(await repository.mirror(), base, commit, { maxBytes, signal }),
    async changedFiles({ base, commit, signal }) {
      return (await diffStat(await repository.mirror(), base, commit, signal)).perFile;
    },
    readFileAt: (commit, path) => repository.text(commit, path),
    async push({ commit, branch, expected, signal }) {
      const [mirror, target] = [await repository.mirror(), await parts.forge.pushTarget()];
      parts.assertHeld();
      await push(mirror, target, {
        branch,
        commit,
        expected,
        signal,
      });
    },
    async keep({ commit, branch, signal }) {
      const mirror = await repository.mirror();
      const args = ['update-ref', '--end-of-options', `refs/berth/kept/${branch}`, commit];
      await withMirrorLock(mirror.directory, signal, () => gitText({ args, cwd: mirror.directory, signal }));
    },
  };
}

type Request = Pick<
  Parameters<ProposalStore['importProposal']>[0],
  'taskId' | 'runId' | 'title' | 'atMs' | 'protectedPaths' | 'policy' | 'signal'
>;

/** What every commit of a proposal is made and judged with. */
async function requestOf(parts: ProposalStoreParts, { policy, title, ...rest }: Request) {
  const effective: ProposalPolicy = policy === undefined ? parts.policy() : tightened(parts.policy(), policy);
  return {
    ...rest,
    title: withoutTokens(parts.redact(title)),
    body: '',
    policy: effective,
    coAuthors: await parts.coAuthors(),
    maker: await parts.maker(rest.signal),
    knownSecrets: parts.knownSecrets(),
  };
}

function made({ commit, tree, stat: { files, added, removed }, findings }: Proposal): MadeProposal {
  return { commit, tree, files, added, removed, findings: policyFindings(findings) };
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
  const most = { maxBytes: maxDiffBytes, signal };
  if (proposal === null && (checkpoint === null || checkpoint.files === 0)) return '';
  const { text, truncated } =
    proposal !== null || checkpoint === null
      ? await diff(mirror, base, proposal?.commit ?? base, most)
      : await diffOfCheckpoint(mirror, {
          base,
          tree: checkpoint.proposalTree,
          pack: await blobs.get(checkpoint.blob),
          ...most,
        });
  return truncated ? `${text}\n[cut after ${maxDiffBytes / 1024 / 1024} MiB]\n` : text;
}
