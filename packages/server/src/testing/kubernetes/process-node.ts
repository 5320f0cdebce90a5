import { execFileSync, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmodSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Duplex } from 'node:stream';
import type {
  V1Container,
  V1ContainerStatus,
  V1Pod,
  V1PodCondition,
} from '../../sandboxes/kubernetes/api-types.ts';
import { toolsDirectory } from '../../sandboxes/tools/index.ts';
import { makePodNetwork, type PodNetwork } from '../pod-network.ts';
import type { Node, TestApiServer } from './api-server.ts';
import { startContainer, type ContainerProcess } from './container-process.ts';
import { wireTime } from './pod-store.ts';

/** A node whose pods are processes of this machine, in a network namespace each; started again as the kubelet does. */
export interface ProcessNode extends Node {
  /** Images that cannot be had. */
  readonly missingImages: Set<string>;
  /** What the node says an image is (`imageID`), by its name; others have the id of the recordings. */
  readonly imageIds: Map<string, string>;
  /** No pod is scheduled, with this message. */
  unschedulable: string | null;
  /** A running pod's container. */
  container(podName: string, name: string): ContainerProcess;
  network(podName: string): PodNetwork;
  /** Kills all of `work` as the kernel does when it runs over its memory. */
  outOfMemory(podName: string): void;
  /** The kubelet evicts the pod. */
  evict(podName: string, message: string): Promise<void>;
  /** The machine stops, without a word; then the control plane deletes its pods. */
  lose(podName: string): void;
  /** Pods whose processes still run. */
  running(): string[];
  close(): Promise<void>;
}

/** Of an image that came from no registry, as the real node of the recordings says it. */
const unnamedImage = 'sha256:89f97c9d8d5e66ea42e2afad8dc7ae8c0cfb86fbfc8831a0550cd585de3a5659';

interface Running {
  readonly pod: V1Pod;
  readonly directory: string;
  readonly network: PodNetwork;
  readonly containers: Map<
    string,
    { process: ContainerProcess | null; restarts: number; last: object | null }
  >;
  isEnding: boolean;
  ended: Promise<void> | null;
}

export async function processNode(server: TestApiServer): Promise<ProcessNode> {
  const { store } = server;
  const root = mkdtempSync(join(tmpdir(), 'berth-node-'));
  chmodSync(root, 0o755);
  const tools = await toolsDirectory(join(tmpdir(), 'berth-test-tools'));
  const pods = new Map<string, Running>();
  const missingImages = new Set<string>();
  const imageIds = new Map<string, string>();

  /** Writes the status of a pod as its processes are. */
  const report = (running: Running, change: Partial<NonNullable<V1Pod['status']>> = {}): void => {
    store.update(running.pod.metadata!.uid!, (pod) => {
      const init = (pod.spec!.initContainers ?? []).map((one) => statusOf(one, running));
      const work = pod.spec!.containers.map((one) => statusOf(one, running));
      const isReady = [...init, ...work].every((one) => one.state?.running !== undefined);
      pod.spec!.nodeName = 'node-1';
      pod.status = {
        ...pod.status,
        phase: work.some((one) => one.state?.waiting === undefined) ? 'Running' : 'Pending',
        conditions: conditions(isReady),
        hostIP: '10.200.0.2',
        podIP: running.network.podAddress,
        podIPs: [{ ip: running.network.podAddress }],
        startTime: pod.status?.startTime ?? wireTime(),
        initContainerStatuses: init,
        containerStatuses: work,
        ...change,
      };
      return pod;
    });
  };

  const statusOf = (container: V1Container, running: Running): V1ContainerStatus => {
    const known = running.containers.get(container.name);
    const now = known?.process ?? null;
    const isUp = now !== null && now.ended === null;
    const image = {
      name: container.name,
      image: container.image ?? '',
      imageID: now === null ? '' : (imageIds.get(container.image ?? '') ?? unnamedImage),
    };
    const waiting = missingImages.has(container.image ?? '')
      ? { reason: 'ErrImagePull', message: `failed to pull and unpack image "${container.image}": not found` }
      : { reason: 'PodInitializing' };
    return {
      ...image,
      state:
        now === null
          ? { waiting }
          : isUp
            ? { running: { startedAt: wireTime() } }
            : { terminated: now.ended! },
      lastState: known?.last === null || known === undefined ? {} : { terminated: known.last as never },
      ready: isUp,
      started: isUp,
      restartCount: known?.restarts ?? 0,
      ...(now === null ? {} : { containerID: now.id }),
    };
  };

  const run = (running: Running, container: V1Container): void => {
    const known = running.containers.get(container.name)!;
    const process = startContainer({
      id: `containerd://${randomBytes(32).toString('hex')}`,
      pod: running.pod,
      container,
      directory: running.directory,
      prefix: running.network.prefix,
      tools,
      nodeAddress: running.network.nodeAddress,
    });
    known.process = process;
    process.onEnd(() => {
      if (running.isEnding) return;
      report(running);
      const backOffMs = known.restarts === 0 ? 100 : 1_000;
      setTimeout(() => {
        if (running.isEnding) return;
        known.last = process.ended;
        known.restarts += 1;
        run(running, container);
        report(running);
      }, backOffMs);
    });
  };

  /** Whether a pod that is here already must not share a node with it. */
  const isKeptApart = (pod: V1Pod): boolean =>
    (pod.spec!.affinity?.podAntiAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? []).some(
      ({ labelSelector }) =>
        [...pods.values()].some(({ pod: other }) =>
          Object.entries(labelSelector?.matchLabels ?? {}).every(
            ([name, value]) => other.metadata!.labels?.[name] === value,
          ),
        ),
    );

  const begin = (pod: V1Pod): void => {
    const uid = pod.metadata!.uid!;
    const message =
      node.unschedulable ?? (isKeptApart(pod) ? 'node(s) did not match anti-affinity rules' : null);
    if (message !== null) {
      const condition = { type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message };
      store.update(uid, (one) => ({ ...one, status: { ...one.status, conditions: [condition] } }));
      return;
    }
    const directory = mkdtempSync(join(root, 'pod-'));
    chmodSync(directory, 0o755);
    for (const volume of pod.spec!.volumes ?? []) {
      if (volume.emptyDir === undefined) continue;
      mkdirSync(join(directory, volume.name));
      chmodSync(join(directory, volume.name), 0o777);
    }
    const all = [...(pod.spec!.initContainers ?? []), ...pod.spec!.containers];
    const running: Running = {
      pod,
      directory,
      network: makePodNetwork(),
      containers: new Map(all.map(({ name }) => [name, { process: null, restarts: 0, last: null }])),
      isEnding: false,
      ended: null,
    };
    pods.set(uid, running);
    report(running);
    for (const container of all) {
      if (missingImages.has(container.image ?? '')) continue;
      run(running, container);
      report(running);
    }
  };

  const end = async (uid: string, graceSeconds: number): Promise<void> => {
    const running = pods.get(uid);
    if (running === undefined) return;
    running.ended ??= endProcesses(running, uid, graceSeconds);
    await running.ended;
  };

  const endProcesses = async (running: Running, uid: string, graceSeconds: number): Promise<void> => {
    running.isEnding = true;
    const all = [...running.containers.values()];
    // A bwrap that is killed while it forks leaves its child alone; nothing of a pod outlives its network.
    const sweep = setInterval(() => killAll(running.network), graceSeconds * 1_000 + 200);
    await Promise.all(all.map(async ({ process }) => process?.stop(graceSeconds * 1_000)));
    clearInterval(sweep);
    pods.delete(uid);
    running.network.remove();
    rmSync(running.directory, { recursive: true, force: true });
  };

  const find = (podName: string): Running => {
    const found = [...pods.values()].find(({ pod }) => pod.metadata!.name === podName);
    if (found === undefined) throw new Error(`no pod ${podName} runs`);
    return found;
  };

  const node: ProcessNode = {
    missingImages,
    imageIds,
    unschedulable: null,
    start: (pod) => void setTimeout(() => begin(pod), 10),
    stop(pod, graceSeconds) {
      const uid = pod.metadata!.uid!;
      void end(uid, graceSeconds).then(() => store.remove(uid));
    },
    log(uid, container) {
      const process = pods.get(uid)?.containers.get(container)?.process ?? null;
      return process === null ? null : process.log;
    },
    forward(podName, port) {
      const script = `const s = require('node:net').connect(Number(process.argv[1]), '127.0.0.1');
process.stdin.pipe(s); s.pipe(process.stdout); s.on('error', () => process.exit(1)); s.on('close', () => process.exit(0));`;
      const [program, ...rest] = [
        ...find(podName).network.prefix,
        process.execPath,
        '-e',
        script,
        String(port),
      ];
      const child = spawn(program, rest, { stdio: ['pipe', 'pipe', 'ignore'] });
      const joined = Duplex.from({ readable: child.stdout, writable: child.stdin });
      joined.on('close', () => child.kill('SIGKILL'));
      child.on('close', () => joined.destroy());
      return joined;
    },
    container(podName, name) {
      const process = find(podName).containers.get(name)?.process ?? null;
      if (process === null) throw new Error(`no container ${name} runs`);
      return process;
    },
    network: (podName) => find(podName).network,
    outOfMemory(podName) {
      node.container(podName, 'work').kill('OOMKilled');
    },
    async evict(podName, message) {
      const running = find(podName);
      const uid = running.pod.metadata!.uid!;
      await end(uid, 0);
      store.update(uid, (pod) => ({
        ...pod,
        status: { ...pod.status, phase: 'Failed', reason: 'Evicted', message },
      }));
    },
    lose(podName) {
      const running = find(podName);
      const uid = running.pod.metadata!.uid!;
      void end(uid, 0);
      store.update(uid, (pod) => {
        const target = {
          type: 'DisruptionTarget',
          status: 'True',
          reason: 'DeletionByTaintManager',
          message: 'Taint manager: deleting due to NoExecute taint',
        };
        pod.metadata!.deletionTimestamp = wireTime();
        return { ...pod, status: { ...pod.status, conditions: [...(pod.status?.conditions ?? []), target] } };
      });
    },
    running: () => [...pods.values()].map(({ pod }) => pod.metadata!.name!),
    async close() {
      await Promise.all([...pods.keys()].map((uid) => end(uid, 0)));
      rmSync(root, { recursive: true, force: true });
    },
  };
  server.setNode(node);
  return node;
}

function killAll(network: PodNetwork): void {
  const pids = execFileSync('ip', ['netns', 'pids', network.name]).toString().split('\n').filter(Boolean);
  for (const pid of pids) {
    try {
      process.kill(Number(pid), 'SIGKILL');
    } catch {
      // Gone meanwhile.
    }
  }
}

function conditions(isReady: boolean): V1PodCondition[] {
  const status = isReady ? 'True' : 'False';
  return [
    { type: 'PodReadyToStartContainers', status: 'True' },
    { type: 'Ready', status, ...(isReady ? {} : { reason: 'ContainersNotReady' }) },
    { type: 'PodScheduled', status: 'True' },
  ];
}
