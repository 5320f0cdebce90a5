import { setTimeout as sleep } from 'node:timers/promises';
import type { V1Pod } from './api-types.ts';
import type { DoctorCheck } from '../../domain/doctor.ts';
import { asBerthError } from '../../domain/errors/index.ts';
import { newId } from '../../domain/ids.ts';
import type { Clock } from '../../domain/ports/clock.ts';
import type { PodClient } from './client.ts';
import { label, meshOptOut, podLabels, podName } from './labels.ts';
import { nodeAddressReference, sandboxdSecurity } from './pod-spec.ts';
import { capacityCodes } from './pod-state.ts';
import { gateFor, type GateTargets } from './programs.ts';
import { proofScript } from './proof-script.ts';
import { toolsImageArgv } from './tools-probe.ts';

export interface NetworkProofOptions {
  readonly client: PodClient;
  readonly clock: Clock;
  readonly namespace: string;
  readonly installation: string;
  readonly toolsImage: string;
  /** What must not be reached; empty: there is nothing to prove. */
  readonly gate: GateTargets;
}

type Finding = Omit<DoctorCheck, 'ms'>;

/** What one probe pod found. */
type Verdict =
  | { readonly kind: 'closed'; readonly node: string; readonly afterMs: number }
  | { readonly kind: 'open'; readonly node: string; readonly reached: readonly string[] }
  /** It got no node that has none of the others: all are tried. */
  | { readonly kind: 'no-node' }
  | { readonly kind: 'silent'; readonly node: string | null };

/** Probe pods at once, and at most: whoever has more nodes gets an honest sentence. */
const atOnce = 4;
const mostNodes = 24;
/** Scheduling is a matter of milliseconds; a pod that waits longer waits for a node that is not there. */
const unscheduledMs = 5_000;
/** Pulling the tools, starting, and the 15 s that a network may take to close. */
const silentMs = 75_000;
const lookEveryMs = 250;

/**
 * Proves that NetworkPolicy is in force where sandboxes run: by probe pods that refuse to share a node, so that each lands
 * on another one, until no further node takes one. Berth may not list nodes and need not: a node that takes no probe takes
 * no sandbox either, unless a profile selects it.
 */
export async function proveNetworkPolicy(
  options: NetworkProofOptions,
  signal: AbortSignal,
): Promise<Finding> {
  const id = 'network-policy';
  const targets = gateFor({ profile: null }, options.gate);
  if (targets.length === 0)
    return { id, state: 'skip', sentence: 'There is nothing that a pod could try to reach.', fix: null };
  const proof = newId('s', options.clock.nowMs());
  const made: string[] = [];
  const verdicts: Verdict[] = [];
  const stop = new AbortController();
  const either = AbortSignal.any([signal, stop.signal]);
  try {
    while (made.length < mostNodes && !verdicts.some(({ kind }) => kind === 'no-node')) {
      const wave = Array.from({ length: atOnce }, () => probePod(options, proof, targets));
      const found = await Promise.allSettled(
        wave.map(async (pod) => {
          const name = pod.metadata!.name!;
          made.push(name);
          await options.client.create(pod, either);
          return await verdictOf(options, name, either);
        }),
      );
      signal.throwIfAborted();
      for (const one of found) if (one.status === 'fulfilled') verdicts.push(one.value);
      const failed = found.find((one) => one.status === 'rejected');
      if (failed === undefined) continue;
      // Quota, most likely: what was found until then counts.
      if (verdicts.length === 0 || !capacityCodes.has(asBerthError(failed.reason).code)) throw failed.reason;
      break;
    }
  } finally {
    stop.abort();
    const late = AbortSignal.timeout(15_000);
    await Promise.allSettled(made.map((name) => options.client.delete(name, { graceSeconds: 0 }, late)));
  }
  return findingOf(verdicts);
}

/** What the verdicts of all probe pods come to. Pure. */
export function findingOf(verdicts: readonly Verdict[]): Finding {
  const id = 'network-policy';
  const open = verdicts.filter((one) => one.kind === 'open');
  const closed = verdicts.filter((one) => one.kind === 'closed');
  const silent = verdicts.filter((one) => one.kind === 'silent');
  const [first] = open;
  if (first !== undefined) {
    const onlyNode = open.every(({ reached }) => reached.every((name) => name === 'node'));
    const where = open.map(({ node, reached }) => `${node} (${reached.join(', ')})`).join('; ');
    return {
      id,
      state: 'fail',
      sentence: onlyNode
        ? `A pod reaches the node it is on: ${where}. Everything else was closed.`
        : `NetworkPolicy is not in force: pods reached what they must not on ${where}.`,
      fix: onlyNode
        ? "Let the network plugin close a pod's own node too, or set `kubernetes.acceptReachableNode` in the profile."
        : 'Apply the NetworkPolicy of docs/kubernetes.md, on a cluster whose network plugin enforces it.',
    };
  }
  const nodes = [...new Set(closed.map(({ node }) => node))];
  if (closed.length === 0)
    return {
      id,
      state: 'warn',
      sentence: 'No probe pod came to run, so it is not proved that NetworkPolicy is in force.',
      fix: 'Look at the pods of the sandbox namespace while `berth doctor` runs.',
    };
  const isAll = verdicts.some(({ kind }) => kind === 'no-node') && silent.length === 0;
  const slowestMs = Math.max(...closed.map(({ afterMs }) => afterMs));
  return {
    id,
    state: silent.length === 0 ? 'pass' : 'warn',
    sentence:
      `NetworkPolicy is in force on ${nodes.length === 1 ? 'the node' : `${nodes.length} nodes:`} ${nodes.join(', ')}` +
      ` (closed after ${slowestMs} ms at the latest). ` +
      (isAll
        ? 'No other node takes a sandbox without a selection of its own.'
        : silent.length > 0
          ? `On ${silent.map(({ node }) => node ?? 'an unknown node').join(', ')} the probe pod said nothing.`
          : 'There may be other nodes: not all were tried.'),
    fix: null,
  };
}

async function verdictOf(
  { client, clock }: NetworkProofOptions,
  name: string,
  signal: AbortSignal,
): Promise<Verdict> {
  const startedMs = clock.monotonicMs();
  for (;;) {
    const pod = await client.get(name, signal);
    const node = pod?.spec?.nodeName ?? null;
    const sinceMs = clock.monotonicMs() - startedMs;
    if (node === null && sinceMs > unscheduledMs) return { kind: 'no-node' };
    if (pod === null || sinceMs > silentMs) return { kind: 'silent', node };
    const line = node === null ? null : await firstLine(client, name, signal);
    if (line !== null && node !== null) return read(line, node);
    await sleep(lookEveryMs, undefined, { signal });
  }
}

function read(line: string, node: string): Verdict {
  const closed = /^closed (\d{1,6})$/.exec(line);
  if (closed !== null) return { kind: 'closed', node, afterMs: Number(closed[1]) };
  const open = /^open ([a-z, -]{1,200})$/.exec(line);
  return open === null ? { kind: 'silent', node } : { kind: 'open', node, reached: open[1]!.split(', ') };
}

async function firstLine(client: PodClient, name: string, signal: AbortSignal): Promise<string | null> {
  const log = await client.followLog(name, 'probe', signal);
  let text = '';
  for await (const chunk of log ?? []) {
    text += chunk;
    const end = text.indexOf('\n');
    if (end !== -1) return text.slice(0, end);
    if (text.length > 1_000) return text;
  }
  return null;
}

function probePod(options: NetworkProofOptions, proof: string, targets: GateTargets): V1Pod {
  const { installation, namespace, toolsImage, clock } = options;
  const id = newId('s', clock.nowMs());
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name: podName(id),
      namespace,
      labels: {
        ...meshOptOut.labels,
        ...podLabels({ installation, runId: 'probe', id, epoch: 0, purpose: 'verify' }),
        [label.proof]: proof,
      },
      annotations: { ...meshOptOut.annotations },
    },
    spec: {
      restartPolicy: 'Never',
      activeDeadlineSeconds: 180,
      terminationGracePeriodSeconds: 1,
      automountServiceAccountToken: false,
      enableServiceLinks: false,
      dnsPolicy: 'None',
      dnsConfig: { nameservers: ['127.0.0.1'] },
      securityContext: { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } },
      affinity: {
        podAntiAffinity: {
          requiredDuringSchedulingIgnoredDuringExecution: [
            {
              topologyKey: 'kubernetes.io/hostname',
              labelSelector: { matchLabels: { [label.proof]: proof } },
            },
          ],
        },
      },
      containers: [
        {
          name: 'probe',
          image: toolsImage,
          imagePullPolicy: 'IfNotPresent',
          command: toolsImageArgv(proofScript, JSON.stringify(targets)).map((word) =>
            word
              .split(nodeAddressReference)
              .map((part) => part.replaceAll('$', '$$$$'))
              .join(nodeAddressReference),
          ),
          env: [{ name: 'BERTH_NODE_ADDRESS', valueFrom: { fieldRef: { fieldPath: 'status.hostIP' } } }],
          securityContext: sandboxdSecurity,
          resources: {
            requests: { cpu: '50m', memory: '128Mi', 'ephemeral-storage': '16Mi' },
            limits: { cpu: '1', memory: '128Mi', 'ephemeral-storage': '16Mi' },
          },
        },
      ],
    },
  };
}
