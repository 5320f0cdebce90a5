import { createHash } from 'node:crypto';
import type { V1Pod } from './api-types.ts';
import type { SandboxPurpose } from '../../domain/purpose.ts';

/** Labels of a sandbox's pod: whose it is, without asking anybody but the API server. */
export const label = {
  installation: 'berth.dev/installation',
  run: 'berth.dev/run',
  sandbox: 'berth.dev/sandbox',
  /** The epoch that made it; later owners are known to sandboxd only, since nobody may patch pods. */
  epoch: 'berth.dev/epoch',
  purpose: 'berth.dev/purpose',
  /** On pods that prove the network of their node: which proof they are part of. */
  proof: 'berth.dev/proof',
} as const;

/** What a label's value may be: 63 characters, letters and digits at both ends. */
const valuePattern = /^[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/;

/** `text` as the value of a label: itself where it may be one, otherwise a name made of its hash. */
export function labelValue(text: string): string {
  if (valuePattern.test(text)) return text;
  return `x-${createHash('sha256').update(text).digest('hex').slice(0, 40)}`;
}

/** The name of the pod of a sandbox. Ids are `[a-z0-9-]`; other or very long ones are hashed. */
export function podName(sandboxId: string): string {
  const plain = `sandbox-${sandboxId}`;
  // 63, although a pod's name may be longer: its host name may not, and the runtime would cut it.
  if (/^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/.test(plain) && plain.length <= 63) return plain;
  return `sandbox-${createHash('sha256').update(sandboxId).digest('hex').slice(0, 40)}`;
}

/** Selects the pods of one installation. */
export function installationSelector(installation: string): string {
  return `${label.installation}=${labelValue(installation)}`;
}

/** What the labels of a pod tell; null where it is none of ours. */
export function readLabels(
  pod: Pick<V1Pod, 'metadata'>,
): { readonly id: string; readonly runId: string } | null {
  const labels = pod.metadata?.labels ?? {};
  const id = labels[label.sandbox];
  return id === undefined ? null : { id, runId: labels[label.run] ?? '' };
}

export interface LabelFacts {
  readonly installation: string;
  readonly runId: string;
  readonly id: string;
  readonly epoch: number;
  readonly purpose: SandboxPurpose;
}

export function podLabels(facts: LabelFacts): Record<string, string> {
  return {
    [label.installation]: labelValue(facts.installation),
    [label.run]: labelValue(facts.runId),
    [label.sandbox]: labelValue(facts.id),
    [label.epoch]: String(facts.epoch),
    [label.purpose]: facts.purpose,
  };
}

/** A mesh's proxy inside the pod would be a second way out and a process that is not ours. */
export const meshOptOut = {
  labels: { 'sidecar.istio.io/inject': 'false', 'kuma.io/sidecar-injection': 'disabled' },
  annotations: {
    'sidecar.istio.io/inject': 'false',
    'linkerd.io/inject': 'disabled',
    'kuma.io/sidecar-injection': 'disabled',
    'consul.hashicorp.com/connect-inject': 'false',
  },
} as const;
