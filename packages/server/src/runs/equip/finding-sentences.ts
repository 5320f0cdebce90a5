import type { PolicyFinding } from '../../blueprints/index.ts';
import type { ErrorCode } from '../../domain/errors/index.ts';
import type { Finding } from '../../git/finding.ts';

const gravity = { refuse: 2, person: 1, note: 0 } as const;

/** One sentence for each rule and severity, as people read it, the gravest first. */
export function policyFindings(findings: readonly Finding[]): PolicyFinding[] {
  const groups = new Map<string, Finding[]>();
  for (const finding of findings) {
    const key = `${finding.severity} ${finding.policy} ${finding.kind}`;
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [finding]);
    else group.push(finding);
  }
  return [...groups.values()]
    .map((group): PolicyFinding => {
      const { severity, policy } = group[0]!;
      return { code: codeOf(group[0]!), sentence: sentenceOf(policy, group), severity, rule: policy };
    })
    .sort((a, b) => gravity[b.severity] - gravity[a.severity]);
}

const codes: Readonly<Record<Finding['policy'], ErrorCode>> = {
  always: 'PROPOSAL_POLICY',
  secrets: 'PROPOSAL_SECRET_FOUND',
  entropy: 'PROPOSAL_SECRET_FOUND',
  ci: 'PROPOSAL_PROTECTED_PATH',
  codeowners: 'PROPOSAL_PROTECTED_PATH',
  agentConfig: 'PROPOSAL_PROTECTED_PATH',
  dotDirectories: 'PROPOSAL_PROTECTED_PATH',
  gitConfig: 'PROPOSAL_PROTECTED_PATH',
  lockfiles: 'PROPOSAL_PROTECTED_PATH',
  protectedPaths: 'PROPOSAL_PROTECTED_PATH',
  size: 'PROPOSAL_POLICY',
  binary: 'PROPOSAL_POLICY',
  symlinks: 'PROPOSAL_POLICY',
  submodules: 'PROPOSAL_POLICY',
  executables: 'PROPOSAL_POLICY',
  fileNames: 'PROPOSAL_POLICY',
  windowsNames: 'PROPOSAL_POLICY',
  weakenedChecks: 'PROPOSAL_POLICY',
};

function codeOf({ kind, policy }: Finding): ErrorCode {
  if (policy !== 'always') return codes[policy];
  return kind === 'secret' ? 'PROPOSAL_SECRET_FOUND' : 'PROPOSAL_PROTECTED_PATH';
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
      return `${words[policy] ?? 'the policy has a word'}: ${named(group.map(filePlace))}`;
  }
}

const words: Partial<Readonly<Record<Finding['policy'], string>>> = {
  weakenedChecks: 'the change may weaken checks',
  binary: 'the change holds files that cannot be reviewed as text',
  executables: 'the change makes files executable',
  fileNames: 'the change holds file names that some file systems take for another',
  windowsNames: 'the change holds file names that Windows does not take',
  symlinks: 'the change holds links out of the repository',
  submodules: 'the change moves submodules',
  size: 'the change is large',
};

function secretPlace(finding: Finding): string {
  return finding.kind === 'secret' ? `${finding.path}:${finding.line} (${finding.rule})` : finding.path;
}

function filePlace(finding: Finding): string {
  if (finding.kind !== 'file') return finding.path;
  const { path, line, why, policy } = finding;
  const place = line === null ? path : `${path}:${line}`;
  if (path === '') return why;
  return policy === 'weakenedChecks' || policy === 'fileNames' || policy === 'windowsNames'
    ? `${place} (${why})`
    : place;
}

function named(places: readonly string[]): string {
  return `${places.slice(0, 5).join(', ')}${places.length > 5 ? ` and ${places.length - 5} more` : ''}`;
}
