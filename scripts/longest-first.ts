import { relative } from 'node:path';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/**
 * Seconds of the files that take longest, of a whole run on two cores. A guess is enough: they only decide that no long
 * file is begun last and then runs alone.
 */
const knownSeconds: Readonly<Record<string, number>> = {
  'e2e/crash.test.ts': 200,
  'e2e/flows.test.ts': 80,
  'e2e/gates.test.ts': 75,
  'e2e/bad-input-commands.test.ts': 65,
  'e2e/bad-input-outages.test.ts': 60,
  'e2e/lying-agent.test.ts': 60,
  'packages/server/src/git/checkpoint.test.ts': 60,
  'packages/server/src/store/embedded/open-embedded.test.ts': 40,
  'packages/server/src/sandboxes/container/lifecycle.test.ts': 45,
  'packages/server/src/sandboxes/container/contract.test.ts': 30,
  'packages/cli/src/remote.test.ts': 30,
  'packages/server/src/api/live-stream.test.ts': 30,
  'packages/server/src/runs/terminals/terminals.test.ts': 30,
};

/** Whole systems take longer than their parts. */
const wholeSystemSeconds = 35;

/** Begins with the longest files; the rest in vitest's own order, the largest first. */
export default class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const inOrder = await super.sort(files);
    return inOrder.toSorted((one, other) => secondsOf(other) - secondsOf(one));
  }
}

function secondsOf({ moduleId, project }: TestSpecification): number {
  const path = relative(project.config.root, moduleId).replaceAll('\\', '/');
  return knownSeconds[path] ?? (path.startsWith('e2e/') ? wholeSystemSeconds : 0);
}
