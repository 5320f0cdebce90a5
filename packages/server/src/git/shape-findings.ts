import type { PolicyRule } from '../domain/proposal-policy.ts';
import { collisions, windowsProblem } from './change-rules.ts';
import { git } from './git-process.ts';
import type { ObjectPlace } from './object-reader.ts';
import { type Finding, severityOf } from './finding.ts';
import type { Policy } from './proposal-policy.ts';
import { shownPath, splitNul, submoduleMode } from './tree-listing.ts';
import type { RawChange } from './tree-listing.ts';

/** What the names and modes of a change say, without its contents. */
export async function shapeFindings(
  place: ObjectPlace,
  changes: readonly RawChange[],
  { policy, tree }: Policy,
): Promise<Finding[]> {
  const found = (rule: PolicyRule, path: string, why: string): Finding => ({
    kind: 'file',
    policy: rule,
    severity: severityOf(policy.rules[rule]),
    path,
    line: null,
    why,
  });
  const findings = changes.flatMap((change): Finding[] => {
    const path = shownPath(change.path);
    const isSubmodule = [change.oldMode, change.newMode].includes(submoduleMode);
    return [
      ...(isSubmodule ? [found('submodules', path, 'a submodule is moved')] : []),
      ...(change.newMode === '100755' && change.oldMode !== '100755'
        ? [found('executables', path, 'it becomes executable')]
        : []),
    ];
  });
  const added = changes.filter((change) => change.status === 'A');
  for (const change of added) {
    const why = windowsProblem(change.path.toString('utf8'));
    if (why !== null) findings.push(found('windowsNames', shownPath(change.path), why));
  }
  if (added.length > 0) {
    const paths = added.map((change) => change.path.toString('utf8'));
    for (const { path, other } of collisions(paths, await pathsOf(place, tree))) {
      const shown = shownPath(Buffer.from(path));
      findings.push(
        found('fileNames', shown, `some file systems take it for ${shownPath(Buffer.from(other))}`),
      );
    }
  }
  return findings;
}

async function pathsOf(place: ObjectPlace, tree: string): Promise<string[]> {
  const { stdout } = await git({
    args: ['ls-tree', '-r', '-z', '--name-only', '--full-tree', '--end-of-options', tree],
    cwd: place.directory,
    signal: place.signal,
    maxOutputBytes: 256 * 1024 * 1024,
    ...(place.limits === undefined ? {} : { limits: place.limits }),
  });
  return splitNul(stdout).map((path) => path.toString('utf8'));
}
