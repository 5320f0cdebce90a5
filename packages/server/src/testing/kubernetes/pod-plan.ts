import type { SandboxSpec } from '../../domain/ports/sandbox.ts';
import { noEgress } from '../../domain/egress.ts';
import { sandboxProfileSchema, type SandboxProfile } from '../../domain/config/sandboxes.ts';
import type { PodPlan } from '../../sandboxes/kubernetes/pod-spec.ts';

const gib = 1024 ** 3;

/** A spec as a run makes one. */
export function podSandboxSpec(change: Partial<SandboxSpec> = {}): SandboxSpec {
  return {
    id: 's-0123456789abcdef',
    runId: 'r-0123456789abcdef',
    purpose: 'work',
    epoch: 1,
    limits: {
      memoryBytes: gib,
      cpus: 2,
      processes: 256,
      openFiles: 4_096,
      fileBytes: gib,
      diskBytes: 2 * gib,
    },
    env: {},
    egress: noEgress,
    profile: null,
    ...change,
  };
}

/** A plan of a pod, changed where a test says so. */
export function podPlan(
  change: Partial<Omit<PodPlan, 'spec'>> & { spec?: Partial<SandboxSpec> } = {},
): PodPlan {
  return {
    installation: 'inst-1',
    namespace: 'rec-sandboxes',
    toolsImage: 'localhost/berth-tools:1',
    defaultImage: 'localhost/work:1',
    tools: { kind: 'image-volume' },
    sandboxd: { argv: ['/opt/berth/node', 'sandboxd.mjs'], env: {} },
    work: { argv: ['/bin/sh', '-c', 'sleep 1'], env: {} },
    port: 7_070,
    userNamespace: false,
    ...change,
    spec: podSandboxSpec(change.spec),
  };
}

/** A profile as a configuration gives it. */
export function podProfile(change: Partial<SandboxProfile> = {}): SandboxProfile {
  return sandboxProfileSchema.parse({ name: 'test', ...change });
}
