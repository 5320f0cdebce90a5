import { setupMinutes, testMinutes, unattended, type CheckInput, type Part } from './part.ts';
import type { Place } from './reader.ts';

const makefiles = ['GNUmakefile', 'makefile', 'Makefile'];
const known = [
  { name: 'format', kind: 'format', targets: ['format-check', 'fmt-check', 'check-format', 'check-fmt'] },
  { name: 'lint', kind: 'lint', targets: ['lint', 'vet'] },
  { name: 'test', kind: 'test', targets: ['test', 'tests', 'check'] },
  { name: 'build', kind: 'build', targets: ['build'] },
] as const;
const fixTargets = ['format', 'fmt'];
const setupTargets = ['setup', 'deps', 'bootstrap'];

/** A makefile's own targets, by their usual names. */
export async function detectMake(place: Place): Promise<Part | null> {
  const file = makefiles.find((name) => place.names.has(name));
  if (file === undefined) return null;
  const targets = targetsOf((await place.read(file)) ?? '');
  const cwd = place.directory;
  const fix = fixTargets.find((name) => targets.has(name));
  const checks = known.flatMap(({ name, kind, targets: names }): CheckInput[] => {
    const target = names.find((one) => targets.has(one));
    if (target === undefined) return [];
    return [
      {
        name,
        kind,
        run: `make ${target}`,
        cwd,
        timeoutMinutes: testMinutes,
        ...(kind === 'test' ? { env: { ...unattended } } : {}),
        ...(kind === 'format' && fix !== undefined ? { fix: `make ${fix}` } : {}),
      },
    ];
  });
  const setup = setupTargets.find((name) => targets.has(name));
  return {
    ecosystem: 'make',
    directory: cwd,
    setup:
      setup === undefined
        ? []
        : [
            {
              run: `make ${setup}`,
              cwd,
              timeoutMinutes: setupMinutes,
              egress: [{ ecosystem: 'npm' }, { ecosystem: 'pip' }, { ecosystem: 'go' }],
            },
          ],
    checks,
    notes: [],
  };
}

/** Names of explicit targets; pattern rules, variables and special targets are none. */
function targetsOf(text: string): Set<string> {
  const targets = new Set<string>();
  for (const line of text.split('\n')) {
    const match = /^([A-Za-z0-9][\w .-]*?)\s*::?(?![=:])/.exec(line);
    for (const name of match?.[1]?.split(/\s+/) ?? []) targets.add(name);
  }
  return targets;
}
