import { relative } from 'node:path';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/**
 * Seconds of the files that take longest, of a whole run on two cores. A guess is enough: they only decide that no long
 * file is begun last and then runs alone.
 */
const knownSeconds: Readonly<Record<string, number>> = {
  'e2e/crash.test.ts': 130,
  'e2e/replicas.test.ts': 130,
  'e2e/bad-input-commands.test.ts': 95,
  'packages/server/src/sandboxes/pool/contract.test.ts': 95,
  'e2e/gates.test.ts': 85,
  'packages/server/src/sandboxes/container/services.test.ts': 75,
  'e2e/flows.test.ts': 70,
  'e2e/bad-input-outages.test.ts': 70,
  'e2e/api-fuzz.test.ts': 60,
  'e2e/bad-input-files.test.ts': 55,
  'packages/server/src/runs/equip/snapshots.test.ts': 55,
  'packages/server/src/sandboxes/kubernetes/faults.test.ts': 55,
  'e2e/bad-input-repositories.test.ts': 50,
  'e2e/bad-input-together.test.ts': 50,
  'e2e/lying-agent.test.ts': 50,
  'e2e/jobs-commands.test.ts': 45,
  'e2e/isolation-network.test.ts': 45,
  'e2e/isolation-host.test.ts': 45,
  'packages/server/src/sandboxes/pause.test.ts': 45,
  'e2e/container-run.test.ts': 45,
  'packages/cli/src/hosting.test.ts': 45,
  'packages/server/src/sandboxes/kubernetes/contract.test.ts': 40,
  'e2e/own-repository.test.ts': 40,
  'e2e/isolation-credentials.test.ts': 40,
  'packages/server/src/sandboxes/kubernetes/port-forward.test.ts': 40,
  'packages/server/src/git/checkpoint.test.ts': 40,
  'packages/server/src/sandboxes/channel-sandbox.test.ts': 40,
  'e2e/restart-database.test.ts': 35,
  'packages/server/src/git/mirror.test.ts': 35,
  'packages/cli/src/live/live-keys.test.ts': 30,
  'e2e/bad-input-disk.test.ts': 30,
  'packages/server/src/sandboxes/container/contract.test.ts': 30,
  'packages/server/src/sandboxes/container/lifecycle.test.ts': 30,
  'packages/server/src/sandboxes/container/image-registries.test.ts': 30,
  'packages/cli/src/flags.test.ts': 30,
  'packages/cli/src/json.test.ts': 25,
  'packages/server/src/forges/local/local-forge.test.ts': 25,
  'e2e/snapshots.test.ts': 25,
  'packages/cli/src/live/terminal.test.ts': 25,
  'packages/server/src/sandboxes/container/images.test.ts': 25,
  'packages/server/src/store/embedded/open-embedded.test.ts': 25,
  'e2e/configuration.test.ts': 25,
  'packages/cli/src/bad-input.test.ts': 25,
  'e2e/second-runs.test.ts': 25,
  'packages/server/src/agent/crash.test.ts': 20,
  'packages/server/src/sandboxes/bubblewrap/contract.test.ts': 20,
};

/** Whole systems take longer than their parts. */
const wholeSystemSeconds = 20;

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
