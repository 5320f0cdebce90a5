import { BerthError } from '../domain/errors/index.ts';
import type { PolicyRule, ProposalPolicy } from '../domain/proposal-policy.ts';
import { isLockfile } from './change-rules.ts';
import { readObjects } from './object-reader.ts';
import type { ObjectPlace } from './object-reader.ts';
import { linkEscapes, linkReachesGit } from './proposal-paths.ts';
import { type Finding, severityOf } from './finding.ts';
import { findRandomValues, findSecrets, type SecretFinding } from './secret-scan.ts';
import { shownPath, symlinkMode } from './tree-listing.ts';
import type { RawChange } from './tree-listing.ts';
import { weakenings } from './weakened-checks.ts';

export interface ContentPolicy {
  readonly limits: { readonly fileBytes: number };
  readonly knownSecrets: readonly string[];
  readonly policy: ProposalPolicy;
}

/** Blobs are read in portions of this size. */
const portionBytes = 32 * 1024 * 1024;
/** Longer texts are generated; what weakens checks is not looked for in them. */
const maxReadBytes = 512 * 1024;

/**
 * What is found in the contents of changed files.
 * @throws BerthError `PROPOSAL_SYMLINK_REFUSED`, `PROPOSAL_INVALID`
 */
export async function contentFindings(
  place: ObjectPlace,
  contents: readonly RawChange[],
  sizes: ReadonlyMap<string, { readonly bytes: number }>,
  policy: ContentPolicy,
): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const portion of portions(contents, (change) => sizes.get(change.newId)!.bytes)) {
    const old = portion
      .map((change) => change.oldId)
      .filter((id) => (sizes.get(id)?.bytes ?? Infinity) <= policy.limits.fileBytes);
    const ids = [...new Set([...portion.map((change) => change.newId), ...old])];
    const bytes = ids.reduce((sum, id) => sum + (sizes.get(id)?.bytes ?? 0), 0);
    const read = await readObjects(place, ids, bytes);
    for (const change of portion) {
      const content = read.get(change.newId);
      if (content === undefined) throw new BerthError('PROPOSAL_INVALID');
      findings.push(...findingsIn(change, read.get(change.oldId) ?? null, content, policy));
    }
  }
  return findings;
}

function* portions(changes: readonly RawChange[], bytesOf: (change: RawChange) => number) {
  let portion: RawChange[] = [];
  let bytes = 0;
  for (const change of changes) {
    if (bytes + bytesOf(change) > portionBytes && portion.length > 0) {
      yield portion;
      portion = [];
      bytes = 0;
    }
    portion.push(change);
    bytes += bytesOf(change);
  }
  if (portion.length > 0) yield portion;
}

function findingsIn(
  change: RawChange,
  before: Buffer | null,
  content: Buffer,
  { policy, knownSecrets }: ContentPolicy,
): Finding[] {
  const { rules } = policy;
  const path = shownPath(change.path);
  const found = (rule: PolicyRule, why: string, line: number | null = null): Finding => ({
    kind: 'file',
    policy: rule,
    severity: severityOf(rules[rule]),
    path,
    line,
    why,
  });
  const findings: Finding[] = [];
  if (change.newMode === symlinkMode) {
    if (linkReachesGit(content) || (linkEscapes(change.path, content) && rules.symlinks === 'block')) {
      throw new BerthError(
        'PROPOSAL_SYMLINK_REFUSED',
        `The change holds a symbolic link that points out of the repository: ${path}.`,
      );
    }
    if (linkEscapes(change.path, content))
      findings.push(found('symlinks', 'it is a link out of the repository'));
  }
  const known = (list: readonly SecretFinding[]) => new Set(list.map((finding) => finding.fingerprint));
  const old = before ?? Buffer.alloc(0);
  const secret = (finding: SecretFinding, rule: PolicyRule): Finding => {
    // A value that is known is no guess; no setting lets it out.
    const isKnown = finding.rule === 'known secret';
    return {
      kind: 'secret',
      policy: isKnown ? 'always' : rule,
      severity: isKnown ? 'refuse' : severityOf(rules[rule]),
      path,
      ...finding,
    };
  };
  const had = known(findSecrets(old, knownSecrets));
  findings.push(
    ...findSecrets(content, knownSecrets)
      .filter((finding) => !had.has(finding.fingerprint))
      .map((finding) => secret(finding, 'secrets')),
  );
  if (isBinary(content)) {
    if (change.newMode !== symlinkMode) findings.push(found('binary', 'it is no text'));
    return findings;
  }
  if (!isLockfile(path)) {
    const random = known(findRandomValues(old));
    findings.push(
      ...findRandomValues(content)
        .filter((finding) => !random.has(finding.fingerprint))
        .map((finding) => secret(finding, 'entropy')),
    );
  }
  if (content.length <= maxReadBytes && (before === null || before.length <= maxReadBytes)) {
    const texts = [before === null ? null : before.toString('utf8'), content.toString('utf8')] as const;
    findings.push(...weakenings(path, ...texts).map(({ why, line }) => found('weakenedChecks', why, line)));
  }
  return findings;
}

/** As git tells: a NUL near the beginning. */
function isBinary(content: Buffer): boolean {
  return content.subarray(0, 8_000).includes(0);
}
