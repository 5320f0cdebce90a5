/** Levels of an App's permission on GitHub, from the weakest. */
export type Level = 'read' | 'write';
export type Permissions = Readonly<Record<string, Level>>;

/** What one token is for. Each is minted with no more than that needs. */
export type Purpose = 'fetch' | 'push' | 'propose' | 'merge' | 'talk';
export const purposes: readonly Purpose[] = ['fetch', 'push', 'propose', 'merge', 'talk'];

interface Wanted {
  readonly needed: Permissions;
  /** Asked for where the App has it: without, that part of the answer is missing. */
  readonly useful: Permissions;
}

const wanted: Readonly<Record<Purpose, Wanted>> = {
  fetch: { needed: { contents: 'read' }, useful: {} },
  push: { needed: { contents: 'write' }, useful: {} },
  // Labels of a pull request are changed as those of an issue.
  propose: { needed: { pull_requests: 'write' }, useful: { contents: 'read', issues: 'write' } },
  merge: { needed: { contents: 'write', pull_requests: 'write' }, useful: {} },
  talk: {
    needed: { issues: 'write', pull_requests: 'write' },
    useful: { checks: 'read', statuses: 'write', actions: 'read' },
  },
};

/** What to ask a token for, given what the installation has; `missing` is empty when it is enough. Pure. */
export function permissionsFor(
  purpose: Purpose,
  granted: Readonly<Record<string, string>>,
): { readonly ask: Permissions; readonly missing: readonly string[] } {
  const { needed, useful } = wanted[purpose];
  const missing = Object.entries(needed).filter(([name, level]) => !covers(granted[name], level));
  const more = Object.entries(useful).filter(([name, level]) => covers(granted[name], level));
  return {
    ask: { ...needed, ...Object.fromEntries(more) },
    missing: missing.map(([name, level]) => `${name}: ${level}`),
  };
}

/** All that an App should have, for people. */
export const allPermissions: Permissions = {
  contents: 'write',
  pull_requests: 'write',
  issues: 'write',
  checks: 'read',
  statuses: 'write',
  actions: 'read',
};

/** Of `allPermissions` those that are not granted. */
export function missingOf(granted: Readonly<Record<string, string>>): readonly string[] {
  return Object.entries(allPermissions)
    .filter(([name, level]) => !covers(granted[name], level))
    .map(([name, level]) => `${name}: ${level}`);
}

function covers(granted: string | undefined, level: Level): boolean {
  return granted === 'admin' || granted === 'write' || (granted === 'read' && level === 'read');
}
