import type { PolicyFinding } from '../../blueprints/index.ts';
import type { ErrorCode } from '../../domain/errors/index.ts';
import type { Finding } from '../../git/finding.ts';

const gravity = { refuse: 2, person: 1, note: 0 } as const;

/** One sentence for each rule and severity, as people read it, the gravest first. */
export function policyFindings(findings: readonly Finding[]): PolicyFinding[] {
  const groups = new Map<string, Finding[]>();
  for (const finding of findings) {
    const key = `${finding.severity} ${finding.policy}`;
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [finding]);
    else group.push(finding);
  }
  return [...groups.values()]
    .map((group): PolicyFinding => {
      const { severity, policy } = group[0]!;
      return { code: codeOf(policy), sentence: sentenceOf(policy, group), severity, rule: policy };
    })
    .sort((a, b) => gravity[b.severity] - gravity[a.severity]);
}

function codeOf(policy: Finding['policy']): ErrorCode {
  switch (policy) {
    case 'secrets':
    case 'entropy':
      return 'PROPOSAL_SECRET_FOUND';
    case 'ci':
    case 'codeowners':
    case 'agentConfig':
    case 'dotDirectories':
    case 'gitConfig':
    case 'lockfiles':
    case 'protectedPaths':
      return 'PROPOSAL_PROTECTED_PATH';
    default:
      return 'PROPOSAL_POLICY';
  }
}

function sentenceOf(policy: Finding['policy'], group: readonly Finding[]): string {
  switch (group[0]!.kind) {
    case 'secret':
      return `the change holds what looks like a secret in ${named(group.map(secretPlace))}`;
    case 'protected-path': {
      const paths = named(group.map((one) => one.path));
      return policy === 'lockfiles'
        ? `the change touches lockfiles: ${paths}`
        : `the change touches protected paths: ${paths}`;
    }
    case 'file':
      return `${wordsOf(policy)}: ${named(group.map(filePlace))}`;
  }
}

function wordsOf(policy: Finding['policy']): string {
  switch (policy) {
    case 'weakenedChecks':
      return 'the change may weaken checks';
    case 'binary':
      return 'the change holds files that cannot be reviewed as text';
    case 'executables':
      return 'the change makes files executable';
    case 'fileNames':
      return 'the change holds file names that not every system takes';
    case 'symlinks':
      return 'the change holds links out of the repository';
    case 'submodules':
      return 'the change moves submodules';
    case 'size':
      return 'the change is large';
    default:
      return 'policy';
  }
}

function secretPlace(finding: Finding): string {
  return finding.kind === 'secret' ? `${finding.path}:${finding.line} (${finding.rule})` : finding.path;
}

function filePlace(finding: Finding): string {
  if (finding.kind !== 'file') return finding.path;
  const { path, line, why, policy } = finding;
  const place = line === null ? path : `${path}:${line}`;
  if (path === '') return why;
  return policy === 'weakenedChecks' || policy === 'fileNames' ? `${place} (${why})` : place;
}

function named(places: readonly string[]): string {
  return `${places.slice(0, 5).join(', ')}${places.length > 5 ? ` and ${places.length - 5} more` : ''}`;
}
