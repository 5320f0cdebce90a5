import { setImmediate as nextTurn } from 'node:timers/promises';
import { BerthError } from '../domain/errors/index.ts';
import { objectSizes, readObjects } from './object-reader.ts';
import type { ObjectPlace } from './object-reader.ts';
import { alwaysProtected, changeProblems, linkEscapes, needsAPerson, protectedBy } from './proposal-paths.ts';
import { findSecrets } from './secret-scan.ts';
import { shownPath, symlinkMode } from './tree-listing.ts';
import type { RawChange } from './tree-listing.ts';

/**
 * What a policy has to weigh. `refuse`: not pushed; the work is kept. `person`: may be pushed only as a draft
 * that a person looks at.
 */
export type Finding =
  | {
      readonly kind: 'protected-path';
      readonly severity: 'refuse' | 'person';
      readonly path: string;
      readonly pattern: string;
    }
  | {
      readonly kind: 'secret';
      readonly severity: 'refuse';
      readonly path: string;
      readonly line: number;
      readonly rule: string;
      readonly fingerprint: string;
    };

interface Policy {
  readonly limits: { readonly fileBytes: number; readonly totalBytes: number };
  readonly protectedPaths: readonly string[];
  readonly knownSecrets: readonly string[];
}

/** Blobs are read in portions of this size. */
const portionBytes = 32 * 1024 * 1024;

/** The error for the gravest finding that forbids a push, or null. */
export function blockingFinding(findings: readonly Finding[]): BerthError | null {
  const secrets = findings.filter((finding) => finding.kind === 'secret');
  if (secrets.length > 0) {
    const { path, line, rule } = secrets[0]!;
    const more = secrets.length === 1 ? '' : ` (and ${secrets.length - 1} more)`;
    return new BerthError(
      'PROPOSAL_SECRET_FOUND',
      `The change holds what looks like a secret (${rule}) in ${path}:${line}${more}, so it was not pushed.`,
      { details: { findings: secrets } },
    );
  }
  const paths = findings.filter((finding) => finding.severity === 'refuse');
  if (paths.length === 0) return null;
  return new BerthError(
    'PROPOSAL_PROTECTED_PATH',
    `The change touches protected paths: ${paths
      .slice(0, 5)
      .map((finding) => finding.path)
      .join(', ')}.`,
    { details: { findings: paths } },
  );
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
  refuseBadPaths(changes);
  const contents = changes.filter((change) => change.status !== 'D' && change.oldId !== change.newId);
  const sizes = await objectSizes(place, [
    ...new Set(contents.flatMap((change) => [change.newId, change.oldId])),
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
  const findings: Finding[] = [];
  for (const [count, change] of changes.entries()) {
    findings.push(...pathFinding(change, policy.protectedPaths), ...nameFinding(change, policy));
    // Thousands of paths against hundreds of patterns: others of this process have their turn meanwhile.
    if (count % 50 === 49) await nextTurn();
  }
  place.signal.throwIfAborted();
  for (const portion of portions(contents, (change) => sizes.get(change.newId)!.bytes)) {
    findings.push(...(await contentFindings(place, portion, sizes, policy)));
  }
  return findings;
}

function refuseBadPaths(changes: readonly RawChange[]): void {
  const problems = changeProblems(changes);
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

function pathFinding(change: RawChange, patterns: readonly string[]): Finding[] {
  const path = shownPath(change.path);
  const text = change.path.toString('utf8');
  const refused = protectedBy(text, [...alwaysProtected, ...patterns]);
  if (refused !== null) return [{ kind: 'protected-path', severity: 'refuse', path, pattern: refused }];
  const looked = protectedBy(text, needsAPerson);
  return looked === null ? [] : [{ kind: 'protected-path', severity: 'person', path, pattern: looked }];
}

/** A name can carry a secret out as well as what is in the file. */
function nameFinding({ path, status }: RawChange, { knownSecrets }: Policy): Finding[] {
  if (status === 'D') return [];
  return findSecrets(path, knownSecrets).map((finding) => ({
    kind: 'secret',
    severity: 'refuse',
    path: 'the name of a file',
    ...finding,
  }));
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

async function contentFindings(
  place: ObjectPlace,
  portion: readonly RawChange[],
  sizes: ReadonlyMap<string, { readonly bytes: number }>,
  policy: Policy,
): Promise<Finding[]> {
  const old = portion
    .map((change) => change.oldId)
    .filter((id) => (sizes.get(id)?.bytes ?? Infinity) <= policy.limits.fileBytes);
  const ids = [...new Set([...portion.map((change) => change.newId), ...old])];
  const bytes = ids.reduce((sum, id) => sum + (sizes.get(id)?.bytes ?? 0), 0);
  const contents = await readObjects(place, ids, bytes);
  return portion.flatMap((change) => {
    const content = contents.get(change.newId);
    if (content === undefined) throw new BerthError('PROPOSAL_INVALID');
    const path = shownPath(change.path);
    if (change.newMode === symlinkMode && linkEscapes(change.path, content)) {
      throw new BerthError(
        'PROPOSAL_SYMLINK_REFUSED',
        `The change holds a symbolic link that points out of the repository: ${path}.`,
      );
    }
    const before = new Set(
      findSecrets(contents.get(change.oldId) ?? Buffer.alloc(0), policy.knownSecrets).map(
        (finding) => finding.fingerprint,
      ),
    );
    return findSecrets(content, policy.knownSecrets)
      .filter((finding) => !before.has(finding.fingerprint))
      .map((finding): Finding => ({ kind: 'secret', severity: 'refuse', path, ...finding }));
  });
}
