import { setImmediate as nextTurn } from 'node:timers/promises';
import { BerthError } from '../domain/errors/index.ts';
import type { ProposalPolicy } from '../domain/proposal-policy.ts';
import { rulesOnPath } from './change-rules.ts';
import { contentFindings, type ContentPolicy } from './content-findings.ts';
import { type Finding, type Severity, severityOf } from './finding.ts';
import { objectSizes } from './object-reader.ts';
import type { ObjectPlace } from './object-reader.ts';
import { alwaysProtected, changeProblems, protectedBy } from './proposal-paths.ts';
import { findSecrets } from './secret-scan.ts';
import { shapeFindings } from './shape-findings.ts';
import { shownPath, submoduleMode } from './tree-listing.ts';
import type { RawChange } from './tree-listing.ts';
import { weakenings } from './weakened-checks.ts';

export interface Policy extends ContentPolicy {
  readonly limits: { readonly fileBytes: number; readonly totalBytes: number };
  readonly protectedPaths: readonly string[];
  /** What is proposed. */
  readonly tree: string;
  /** First line of the commit's message. */
  readonly title: string;
}

/** The error for the gravest finding that forbids a push, or null. */
export function blockingFinding(findings: readonly Finding[]): BerthError | null {
  const refused = findings.filter((finding) => finding.severity === 'refuse');
  const secrets = refused.filter((finding) => finding.kind === 'secret');
  if (secrets.length > 0) {
    const { path, line, rule } = secrets[0]!;
    const more = secrets.length === 1 ? '' : ` (and ${secrets.length - 1} more)`;
    return new BerthError(
      'PROPOSAL_SECRET_FOUND',
      `The change holds what looks like a secret (${rule}) in ${path}:${line}${more}, so it was not pushed.`,
      { details: { findings: secrets } },
    );
  }
  const paths = refused.filter((finding) => finding.kind === 'protected-path');
  if (paths.length > 0) {
    return new BerthError(
      'PROPOSAL_PROTECTED_PATH',
      `The change touches protected paths: ${paths
        .slice(0, 5)
        .map((finding) => finding.path)
        .join(', ')}.`,
      { details: { findings: paths } },
    );
  }
  return refused.length === 0
    ? null
    : new BerthError('PROPOSAL_POLICY', undefined, { details: { findings: refused } });
}

/**
 * Judges the changes of a proposal: refuses what is never acceptable and answers what a policy must weigh.
 *
 * @throws BerthError `PROPOSAL_PATH_REFUSED`, `PROPOSAL_SYMLINK_REFUSED`, `PROPOSAL_SUBMODULE_REFUSED`,
 *   `PROPOSAL_TOO_LARGE`, `PROPOSAL_INVALID`
 */
export async function judgeProposal(
  place: ObjectPlace,
  changes: readonly RawChange[],
  policy: Policy,
): Promise<Finding[]> {
  refuseBadPaths(changes, policy.policy);
  const contents = changes.filter(
    (change) => change.status !== 'D' && change.newMode !== submoduleMode && change.oldId !== change.newId,
  );
  const sizes = await objectSizes(place, [
    ...new Set(changes.flatMap((change) => [change.newId, change.oldId])),
  ]);
  let total = 0;
  for (const change of contents) {
    const found = sizes.get(change.newId);
    if (found?.type !== 'blob') throw new BerthError('PROPOSAL_INVALID');
    if (found.bytes > policy.limits.fileBytes) {
      throw new BerthError(
        'PROPOSAL_TOO_LARGE',
        `${shownPath(change.path)} has ${found.bytes} bytes; a changed file may have ${policy.limits.fileBytes}.`,
      );
    }
    total += found.bytes;
  }
  if (total > policy.limits.totalBytes) {
    throw new BerthError(
      'PROPOSAL_TOO_LARGE',
      `The changed files have ${total} bytes together; ${policy.limits.totalBytes} are accepted.`,
    );
  }
  const findings: Finding[] = [
    ...sizeFindings(changes.length, total, policy.policy),
    ...secretFindings('the message of the commit', policy.title, policy),
  ];
  for (const [count, change] of changes.entries()) {
    findings.push(...pathFinding(change, policy), ...nameFinding(change, policy));
    // Thousands of paths against hundreds of patterns: others of this process have their turn meanwhile.
    if (count % 50 === 49) await nextTurn();
  }
  place.signal.throwIfAborted();
  findings.push(...(await shapeFindings(place, changes, policy)));
  findings.push(...(await contentFindings(place, contents, sizes, policy)));
  findings.push(...goneTests(changes, contents, policy));
  return findings;
}

function goneTests(
  changes: readonly RawChange[],
  contents: readonly RawChange[],
  { policy }: Policy,
): Finding[] {
  const kept = new Set(contents.map((change) => change.newId));
  // What is there under another name was moved.
  const gone = changes.filter((change) => change.status === 'D' && !kept.has(change.oldId));
  const severity = severityOf(policy.rules.weakenedChecks);
  return gone.flatMap((change) => {
    const path = shownPath(change.path);
    return weakenings(path, '', null).map((weakening): Finding => ({
      kind: 'file',
      policy: 'weakenedChecks',
      severity,
      path,
      ...weakening,
    }));
  });
}

function refuseBadPaths(changes: readonly RawChange[], { rules }: ProposalPolicy): void {
  const problems = changeProblems(changes).filter(
    ({ kind }) => kind !== 'submodule' || rules.submodules === 'block',
  );
  const first = problems[0];
  if (first === undefined) return;
  const details = { problems: problems.slice(0, 50) };
  switch (first.kind) {
    case 'submodule':
      throw new BerthError('PROPOSAL_SUBMODULE_REFUSED', `The change moves the submodule ${first.path}.`, {
        details,
      });
    case 'path':
    case 'mode':
      throw new BerthError(
        'PROPOSAL_PATH_REFUSED',
        `The change holds a file name that is not accepted (${first.path}): ${first.why}.`,
        { details },
      );
  }
}

function sizeFindings(
  files: number,
  bytes: number,
  { rules, maxFiles, maxBytes }: ProposalPolicy,
): Finding[] {
  const why =
    files > maxFiles
      ? `it touches ${files} files; ${maxFiles} are accepted`
      : bytes > maxBytes
        ? `its files have ${bytes} bytes together; ${maxBytes} are accepted`
        : null;
  if (why === null) return [];
  return [{ kind: 'file', policy: 'size', severity: severityOf(rules.size), path: '', line: null, why }];
}

const gravity: Readonly<Record<Severity, number>> = { note: 0, person: 1, refuse: 2 };

/** The gravest word on a path. */
function pathFinding(change: RawChange, { protectedPaths, policy }: Policy): Finding[] {
  const path = shownPath(change.path);
  const text = change.path.toString('utf8');
  const kind = 'protected-path';
  const always = protectedBy(text, alwaysProtected);
  if (always !== null) return [{ kind, policy: 'always', severity: 'refuse', path, pattern: always }];
  const own = protectedBy(text, protectedPaths);
  const words = [
    ...(own === null ? [] : [{ rule: 'protectedPaths' as const, pattern: own }]),
    ...rulesOnPath(text),
  ].map(({ rule, pattern }) => ({ policy: rule, pattern, severity: severityOf(policy.rules[rule]) }));
  const worst = words.sort((a, b) => gravity[b.severity] - gravity[a.severity])[0];
  return worst === undefined ? [] : [{ kind, path, ...worst }];
}

/** A name can carry a secret out as well as what is in the file. */
function nameFinding({ path, status }: RawChange, policy: Policy): Finding[] {
  return status === 'D' ? [] : secretFindings('the name of a file', path, policy);
}

function secretFindings(where: string, content: Uint8Array | string, policy: Policy): Finding[] {
  return findSecrets(Buffer.from(content), policy.knownSecrets).map((finding) => ({
    kind: 'secret',
    policy: 'always',
    severity: 'refuse',
    path: where,
    ...finding,
  }));
}
