import type { PolicyFinding, ProposalStore } from '../../blueprints/index.ts';
import type { Blobs } from '../../domain/ports/blobs.ts';
import type { Forge } from '../../domain/ports/forge.ts';
import type { RunState } from '../../domain/run-state.ts';
import { diff, diffStat } from '../../git/diff.ts';
import { gitText } from '../../git/git-process.ts';
import { withMirrorLock } from '../../git/mirror.ts';
import { diffOfCheckpoint, importProposal } from '../../git/import-proposal.ts';
import type { Finding } from '../../git/proposal-policy.ts';
import { push } from '../../git/push.ts';
import type { RunRepository } from './repository.ts';

export interface ProposalStoreParts {
  readonly repository: RunRepository;
  readonly blobs: Blobs;
  readonly forge: Forge;
  /** Values that must not leave in a change. */
  knownSecrets(): readonly string[];
  /** For the words of a commit. */
  redact(text: string): string;
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
    async importProposal({ base, blob, tree, taskId, runId, title, atMs, protectedPaths, signal }) {
      const proposal = await importProposal(await repository.mirror(), {
        base,
        tree,
        pack: await parts.blobs.get(blob),
        taskId,
        runId,
        title: parts.redact(title),
        body: '',
        atMs,
        protectedPaths,
        knownSecrets: parts.knownSecrets(),
        signal,
      });
      const { files, added, removed } = proposal.stat;
      const { commit, findings } = proposal;
      return { commit, tree: proposal.tree, files, added, removed, findings: policyFindings(findings) };
    },
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

/** One finding per kind, as people read it, with the gravest severity of its kind. */
function policyFindings(findings: readonly Finding[]): PolicyFinding[] {
  const named = (places: readonly string[]): string =>
    `${places.slice(0, 5).join(', ')}${places.length > 5 ? ` and ${places.length - 5} more` : ''}`;
  const secrets = findings.flatMap((one) =>
    one.kind === 'secret' ? [`${one.path}:${one.line} (${one.rule})`] : [],
  );
  const paths = findings.filter((one) => one.kind === 'protected-path');
  const found: PolicyFinding[] = [];
  if (secrets.length > 0) {
    found.push({
      code: 'PROPOSAL_SECRET_FOUND',
      sentence: `the change holds what looks like a secret in ${named(secrets)}`,
      severity: 'refuse',
    });
  }
  if (paths.length > 0) {
    found.push({
      code: 'PROPOSAL_PROTECTED_PATH',
      sentence: `the change touches protected paths: ${named(paths.map((one) => one.path))}`,
      severity: paths.some((one) => one.severity === 'refuse') ? 'refuse' : 'person',
    });
  }
  return found;
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
