import type { PolicyRule } from '../domain/proposal-policy.ts';
import { protectedBy } from './proposal-paths.ts';

/** Paths by the rule that speaks of them; see `protectedBy` for their form. */
const pathRules: ReadonlyArray<readonly [PolicyRule, readonly string[]]> = [
  [
    'codeowners',
    [
      'CODEOWNERS',
      '.github/CODEOWNERS',
      'docs/CODEOWNERS',
      '.gitlab/CODEOWNERS',
      '.gitea/CODEOWNERS',
      '.forgejo/CODEOWNERS',
    ],
  ],
  // Executes with rights or secrets outside any sandbox once pushed or merged.
  [
    'ci',
    [
      '.github/workflows',
      '.github/actions',
      '.gitlab-ci.yml',
      '.gitlab',
      '.circleci',
      '.buildkite',
      '.woodpecker',
      '.woodpecker.yml',
      '.drone.yml',
      '.travis.yml',
      '.forgejo/workflows',
      '.gitea/workflows',
      'bitbucket-pipelines.yml',
      'azure-pipelines.yml',
      'Jenkinsfile',
    ],
  ],
  // What the next agent, or somebody's editor, obeys.
  [
    'agentConfig',
    [
      '**/AGENTS.md',
      '**/AGENT.md',
      '**/CLAUDE.md',
      '**/CLAUDE.local.md',
      '**/GEMINI.md',
      '**/.cursorrules',
      '**/.windsurfrules',
      '**/.clinerules',
      '**/.mcp.json',
      '.cursor',
      '.claude',
      '.codex',
      '.gemini',
      '.windsurf',
      '.opencode',
      '.vscode',
      '.idea',
      '.devcontainer',
      '.github/copilot-instructions.md',
      '.github/instructions',
      '.github/prompts',
      '.github/agents',
    ],
  ],
  ['gitConfig', ['**/.gitmodules', '**/.gitattributes']],
  [
    'lockfiles',
    [
      '**/package-lock.json',
      '**/npm-shrinkwrap.json',
      '**/yarn.lock',
      '**/pnpm-lock.yaml',
      '**/bun.lock',
      '**/bun.lockb',
      '**/Cargo.lock',
      '**/poetry.lock',
      '**/uv.lock',
      '**/Pipfile.lock',
      '**/pdm.lock',
      '**/go.sum',
      '**/Gemfile.lock',
      '**/composer.lock',
      '**/gradle.lockfile',
      '**/packages.lock.json',
    ],
  ],
  ['dotDirectories', ['.*/**']],
];

/** Every rule that has a word on a path, with the pattern it knows it by. Pure. */
export function rulesOnPath(path: string): { readonly rule: PolicyRule; readonly pattern: string }[] {
  const found = pathRules.flatMap(([rule, patterns]) => {
    const pattern = protectedBy(path, patterns);
    return pattern === null ? [] : [{ rule, pattern }];
  });
  // The others say more exactly what such a folder is for.
  return found.length > 1 ? found.filter(({ rule }) => rule !== 'dotDirectories') : found;
}

export function isLockfile(path: string): boolean {
  return rulesOnPath(path).some(({ rule }) => rule === 'lockfiles');
}

const windowsDevice = /^(?:con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³]|conin\$|conout\$)(?:\.|$)/i;

/** Why Windows does not take a name, or takes it for another; null: it does. Pure. */
export function windowsProblem(path: string): string | null {
  for (const part of path.split('/')) {
    if (/[<>:"|?*\\]/.test(part)) return 'Windows does not take one of its characters';
    if (/[ .]$/.test(part)) return 'Windows drops the dot or space at the end of a name';
    if (windowsDevice.test(part)) return 'it is the name of a device on Windows';
  }
  return null;
}

/** A name as file systems read it that fold letters and Unicode forms. */
function folded(name: string): string {
  return name.normalize('NFKC').toUpperCase().toLowerCase().normalize('NFKC');
}

/**
 * Added paths, and the others of the tree that some file systems take for the same: files and folders alike. Pure.
 * @param all every path of the tree
 */
export function collisions(
  added: readonly string[],
  all: readonly string[],
): { readonly path: string; readonly other: string }[] {
  if (added.length === 0) return [];
  const known = new Map<string, Set<string>>();
  const wanted = new Set(added.flatMap((path) => prefixes(path).map(folded)));
  for (const path of all) {
    for (const prefix of prefixes(path)) {
      const key = folded(prefix);
      if (!wanted.has(key)) continue;
      const same = known.get(key);
      if (same === undefined) known.set(key, new Set([prefix]));
      else same.add(prefix);
    }
  }
  return added.flatMap((path) => {
    for (const prefix of prefixes(path)) {
      const other = [...(known.get(folded(prefix)) ?? [])].find((one) => one !== prefix);
      if (other !== undefined) return [{ path, other }];
    }
    return [];
  });
}

/** `a`, `a/b`, `a/b/c`. */
function prefixes(path: string): string[] {
  const parts = path.split('/');
  return parts.map((_, place) => parts.slice(0, place + 1).join('/'));
}
