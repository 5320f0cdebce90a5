import { describe, expect, test } from 'vitest';
import { Pod } from 'kubernetes-models/v1/Pod';
import type { V1Pod } from './api-types.ts';
import { sandboxProfileSchema } from '../../domain/config/sandboxes.ts';
import { podSecurityViolations } from '../../testing/kubernetes/pod-security.ts';
import { unknownFields } from '../../testing/kubernetes/field-validation.ts';
import { podPlan } from '../../testing/kubernetes/pod-plan.ts';
import { containerNames, nodeAddressReference, sandboxPod, sandboxUid, type PodPlan } from './pod-spec.ts';

const plain = (plan: PodPlan): V1Pod => JSON.parse(JSON.stringify(sandboxPod(plan))) as V1Pod;
const work = (pod: V1Pod) => pod.spec!.containers[0]!;
const sandboxd = (pod: V1Pod) =>
  pod.spec!.initContainers!.find((one) => one.name === containerNames.sandboxd)!;

const rich = sandboxProfileSchema.parse({
  name: 'rich',
  image: `registry.invalid/app@sha256:${'0'.repeat(64)}`,
  kubernetes: {
    runtimeClass: 'gvisor',
    nodeSelector: { 'kubernetes.io/arch': 'amd64' },
    tolerations: [{ key: 'sandboxes', operator: 'Exists', effect: 'NoSchedule' }],
    spreadOver: 'kubernetes.io/hostname',
    imagePullSecrets: ['registry'],
    labels: { team: 'a', 'berth.dev/run': 'another' },
    annotations: { note: 'x', 'linkerd.io/inject': 'enabled' },
    deadline: '2h',
  },
});

describe('the pod of a sandbox', () => {
  const plans: Array<[string, PodPlan]> = [
    ['without a profile', podPlan()],
    ['with everything a profile has', podPlan({ spec: { profile: rich } })],
    ['with tools from an init container', podPlan({ tools: { kind: 'init-container', argv: ['/copy'] } })],
    ['with a user namespace', podPlan({ userNamespace: true })],
  ];

  test.each(plans)('%s is one that Kubernetes knows every field of', (_name, plan) => {
    const pod = plain(plan);
    expect(() => new Pod(pod as ConstructorParameters<typeof Pod>[0]).validate()).not.toThrow();
    expect(unknownFields(pod)).toEqual([]);
  });

  test.each(plans)('%s passes Pod Security restricted', (_name, plan) => {
    expect(podSecurityViolations(plain(plan))).toEqual([]);
  });

  test('has no token, no service links, no namespace of the host, and a deadline', () => {
    const { spec } = plain(podPlan({ spec: { profile: rich } }));
    expect(spec).toMatchObject({
      automountServiceAccountToken: false,
      enableServiceLinks: false,
      hostNetwork: false,
      hostPID: false,
      hostIPC: false,
      restartPolicy: 'Always',
      activeDeadlineSeconds: 7_200,
      dnsPolicy: 'None',
    });
    expect(spec!.terminationGracePeriodSeconds).toBeLessThan(5);
  });

  test('takes placement from the profile, but neither our labels nor the way out of the mesh', () => {
    const pod = plain(podPlan({ spec: { profile: rich, runId: 'r-1' } }));
    expect(pod.spec).toMatchObject({
      runtimeClassName: 'gvisor',
      nodeSelector: { 'kubernetes.io/arch': 'amd64' },
      tolerations: [{ key: 'sandboxes', operator: 'Exists', effect: 'NoSchedule' }],
      imagePullSecrets: [{ name: 'registry' }],
      topologySpreadConstraints: [
        { topologyKey: 'kubernetes.io/hostname', whenUnsatisfiable: 'ScheduleAnyway' },
      ],
    });
    expect(work(pod).image).toBe(rich.image);
    expect(pod.metadata!.labels).toMatchObject({
      team: 'a',
      'berth.dev/run': 'r-1',
      'berth.dev/purpose': 'work',
      'berth.dev/installation': 'inst-1',
      'sidecar.istio.io/inject': 'false',
    });
    expect(pod.metadata!.annotations).toMatchObject({ note: 'x', 'linkerd.io/inject': 'disabled' });
  });

  test('lets work reach the socket and the tools, and write to neither', () => {
    const mounts = Object.fromEntries(
      work(plain(podPlan())).volumeMounts!.map((one) => [one.mountPath, one]),
    );
    expect(mounts['/run/berth']).toMatchObject({ readOnly: true });
    expect(mounts['/opt/berth']).toMatchObject({ readOnly: true });
    expect(Object.keys(mounts).sort()).toEqual([
      '/home/agent',
      '/opt/berth',
      '/run/berth',
      '/tmp',
      '/workspace',
    ]);
  });

  test('keeps the workspace from sandboxd and the spool from work', () => {
    const names = (container: ReturnType<typeof work>) =>
      container.volumeMounts!.map((one) => one.name).sort();
    expect(names(sandboxd(plain(podPlan())))).toEqual(['sockets', 'spool', 'tools']);
    expect(names(work(plain(podPlan())))).not.toContain('spool');
  });

  test('gives sandboxd a uid, memory and CPU of its own, without a CPU limit', () => {
    const pod = plain(podPlan());
    expect(sandboxd(pod).securityContext!.runAsUser).not.toBe(work(pod).securityContext!.runAsUser);
    expect(sandboxd(pod)).toMatchObject({ restartPolicy: 'Always' });
    expect(sandboxd(pod).resources).toMatchObject({
      requests: { cpu: '100m', memory: String(256 * 1024 ** 2) },
      limits: { memory: String(256 * 1024 ** 2) },
    });
    expect(sandboxd(pod).resources!.limits).not.toHaveProperty('cpu');
  });

  test('bounds memory, CPU and disk of the commands', () => {
    const plan = podPlan();
    const { limits } = plan.spec;
    expect(work(plain(plan)).resources).toEqual({
      requests: {
        cpu: `${(limits.cpus * 1_000) / 4}m`,
        memory: String(limits.memoryBytes),
        'ephemeral-storage': String(limits.diskBytes / 4),
      },
      limits: {
        cpu: `${limits.cpus * 1_000}m`,
        memory: String(limits.memoryBytes),
        'ephemeral-storage': String(limits.diskBytes),
      },
    });
    for (const volume of plain(plan).spec!.volumes!) {
      if (volume.emptyDir !== undefined) expect(volume.emptyDir.sizeLimit).toBeDefined();
    }
  });

  test('gives each sandbox another uid, and with a user namespace the usual one', () => {
    const uids = new Set(Array.from({ length: 50 }, (_, index) => sandboxUid(`s-${index}`)));
    expect(uids.size).toBeGreaterThan(45);
    expect([...uids].every((uid) => uid >= 20_000 && uid < 60_000)).toBe(true);
    const pod = plain(podPlan({ userNamespace: true }));
    expect(pod.spec!.hostUsers).toBe(false);
    expect(work(pod).securityContext!.runAsUser).toBe(1_000);
  });

  test('passes commands and values on unchanged: Kubernetes would put variables for $(NAME) in them', () => {
    const words = ['sh', '-c', 'echo $((1 + 1)) $(BERTH_POD_UID) $$ $HOME', nodeAddressReference];
    const pod = plain(
      podPlan({ work: { argv: words, env: { A: '$(B) $$' } }, sandboxd: { argv: words, env: {} } }),
    );
    expect(
      work(pod).command!.map((word) =>
        expandLikeKubernetes(word, { BERTH_POD_UID: 'uid', BERTH_NODE_ADDRESS: '10.0.0.9' }),
      ),
    ).toEqual(words);
    expect(expandLikeKubernetes(work(pod).env![0]!.value!, { B: 'b' })).toBe('$(B) $$');
    const expanded = sandboxd(pod).command!.map((word) =>
      expandLikeKubernetes(word, { BERTH_POD_UID: 'uid', BERTH_NODE_ADDRESS: '10.0.0.9' }),
    );
    expect(expanded.at(-1)).toBe('10.0.0.9');
  });

  test('holds nothing of the spec’s environment: values there may be secret', () => {
    const pod = JSON.stringify(sandboxPod(podPlan({ spec: { env: { TOKEN: 'canary-value' } } })));
    expect(pod).not.toContain('canary-value');
  });
});

/** As `third_party/forked/golang/expansion` of Kubernetes does it. */
function expandLikeKubernetes(word: string, variables: Record<string, string>): string {
  return word.replaceAll(/\$\$|\$\(([^)]*)\)/g, (all, name: string | undefined) =>
    all === '$$' ? '$' : (variables[name!] ?? all),
  );
}
