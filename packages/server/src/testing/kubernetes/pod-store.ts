import { randomUUID } from 'node:crypto';
import type { V1Pod } from '../../sandboxes/kubernetes/api-types.ts';
import { Refusal } from './status.ts';

export interface StoredEvent {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED';
  readonly version: number;
  /** As it is on the wire; for a pod that left a selector, with its old labels. */
  readonly object: V1Pod;
  readonly labelsBefore: Readonly<Record<string, string>> | null;
}

type Labels = Readonly<Record<string, string>>;

/** The pods of one namespace with their history, as etcd and the watch cache have them. */
export class PodStore {
  readonly #pods = new Map<string, V1Pod>();
  #history: StoredEvent[] = [];
  #version = 2_000;
  #oldest = 2_000;
  readonly #listeners = new Set<(event: StoredEvent) => void>();

  get version(): number {
    return this.#version;
  }
  /** Events before it are forgotten. */
  get oldest(): number {
    return this.#oldest;
  }
  all(): V1Pod[] {
    return [...this.#pods.values()].sort((a, b) => (a.metadata!.name! < b.metadata!.name! ? -1 : 1));
  }
  get(name: string): V1Pod | undefined {
    return this.#pods.get(name);
  }
  add(pod: V1Pod): V1Pod {
    const name = pod.metadata!.name!;
    if (this.#pods.has(name))
      throw new Refusal(409, 'AlreadyExists', `pods "${name}" already exists`, { name, kind: 'pods' });
    const made = withDefaults(pod);
    return this.#put('ADDED', made, null);
  }
  /** Changes a pod that is there; nothing happens when it is not, or is another one. */
  update(uid: string, change: (pod: V1Pod) => V1Pod): V1Pod | null {
    const before = this.all().find((pod) => pod.metadata!.uid === uid);
    if (before === undefined) return null;
    return this.#put('MODIFIED', change(structuredClone(before)), before.metadata!.labels ?? {});
  }
  remove(uid: string): void {
    const pod = this.all().find((one) => one.metadata!.uid === uid);
    if (pod === undefined) return;
    this.#pods.delete(pod.metadata!.name!);
    this.#put('DELETED', structuredClone(pod), pod.metadata!.labels ?? {});
  }
  /** Forgets all history: watches from before now are too old. */
  compact(): void {
    this.#history = [];
    this.#version += 1;
    this.#oldest = this.#version;
  }
  since(version: number): readonly StoredEvent[] {
    return this.#history.filter((event) => event.version > version);
  }
  listen(listener: (event: StoredEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #put(type: StoredEvent['type'], pod: V1Pod, labelsBefore: Labels | null): V1Pod {
    this.#version += 1;
    pod.metadata!.resourceVersion = String(this.#version);
    if (type !== 'DELETED') this.#pods.set(pod.metadata!.name!, pod);
    const event = { type, version: this.#version, object: structuredClone(pod), labelsBefore };
    this.#history.push(event);
    for (const listener of this.#listeners) listener(event);
    return structuredClone(pod);
  }
}

/** Times on the wire have seconds. */
export function wireTime(ms = Date.now()): string {
  return new Date(ms).toISOString().replace(/\.\d+Z$/, 'Z');
}

function withDefaults(pod: V1Pod): V1Pod {
  const given = structuredClone(pod);
  return {
    kind: 'Pod',
    apiVersion: 'v1',
    metadata: { ...given.metadata, uid: randomUUID(), generation: 1, creationTimestamp: wireTime() },
    spec: {
      ...given.spec!,
      dnsPolicy: given.spec!.dnsPolicy ?? 'ClusterFirst',
      schedulerName: 'default-scheduler',
    },
    status: { phase: 'Pending', qosClass: 'Burstable' },
  };
}

/** `a=b,c=d`, as the driver selects. */
export function selects(selector: string, labels: Labels | undefined | null): boolean {
  return selector
    .split(',')
    .filter((part) => part !== '')
    .every((part) => {
      const [name = '', value = ''] = part.split('=');
      return labels?.[name] === value;
    });
}
