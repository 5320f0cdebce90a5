import type { V1Pod } from './api-types.ts';
import { newId } from '../../domain/ids.ts';
import { BerthError, type ErrorCode } from '../../domain/errors/index.ts';
import type { Clock } from '../../domain/ports/clock.ts';
import { toolEntries, toolPaths } from '../tools/layout.ts';
import type { PodClient } from './client.ts';
import { meshOptOut, podLabels, podName } from './labels.ts';
import { podPaths, sandboxdSecurity, type ToolsDelivery } from './pod-spec.ts';

export interface ToolsProbeOptions {
  readonly client: PodClient;
  readonly clock: Clock;
  readonly installation: string;
  readonly namespace: string;
  readonly toolsImage: string;
}

/** Scheduling, pulling the tools (100 MB) and starting; the status of a volume that fails comes up to 15 s late. */
const withinMs = 120_000;
const lookEveryMs = 250;

/**
 * Runs a script with the Node of the tools in their own image, whose root is `/opt/berth` of sandboxes. Its programs look
 * for their loader there, where nothing is: it is named by hand.
 */
export function toolsImageArgv(script: string, ...args: readonly string[]): readonly string[] {
  const node = toolPaths.node.replace(podPaths.tools, '');
  return ['/ld', '--library-path', '/l', node, '-e', script, ...args];
}

/** Copies the tools out of their image. */
export const copyToolsArgv: readonly string[] =
  toolsImageArgv(`const { cpSync, readdirSync } = require('node:fs');
for (const name of ${JSON.stringify(toolEntries)})
  if (readdirSync('/').includes(name)) cpSync('/' + name, ${JSON.stringify(podPaths.tools)} + '/' + name, { recursive: true, verbatimSymlinks: true });`);

export const initContainer: ToolsDelivery = { kind: 'init-container', argv: copyToolsArgv };

/** What means that this cluster has no image volumes, or that its nodes cannot run programs from them. */
const unsupported: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'SANDBOX_POD_REFUSED',
  'SANDBOX_IMAGE',
  'SANDBOX_START_REFUSED',
  'SANDBOX_CRASHES',
]);

/**
 * Finds how the tools can come into a pod: by an image volume where a pod can execute a file of one, which no version
 * number tells (the feature may be off, and the node's runtime too old).
 * @throws BerthError when the cluster does not let the question be asked
 */
export async function chooseToolsDelivery(
  options: ToolsProbeOptions,
  signal: AbortSignal,
): Promise<ToolsDelivery> {
  try {
    await runProbe(options, signal);
    return { kind: 'image-volume' };
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof BerthError && unsupported.has(error.code)) return initContainer;
    throw error;
  }
}

async function runProbe(options: ToolsProbeOptions, signal: AbortSignal): Promise<void> {
  const { client, clock } = options;
  const pod = probePod(options, newId('s', clock.nowMs()));
  const name = pod.metadata!.name!;
  const made = await client.create(pod, signal);
  if (made.spec?.volumes?.some((volume) => volume.image !== undefined) !== true)
    throw new BerthError('SANDBOX_POD_REFUSED', 'The cluster drops image volumes.');
  try {
    const startedMs = clock.monotonicMs();
    for (;;) {
      const seen = await client.get(name, signal);
      const status = seen?.status?.containerStatuses?.[0];
      const ended = status?.state?.terminated;
      if (ended?.exitCode === 0) return;
      if (ended !== undefined)
        throw new BerthError(
          'SANDBOX_START_REFUSED',
          `A program of the image volume ended with ${ended.exitCode}.`,
        );
      const waits = status?.state?.waiting?.reason;
      if (waits !== undefined && /Err|BackOff|Invalid/.test(waits)) throw new BerthError('SANDBOX_IMAGE');
      const scheduled = seen?.status?.conditions?.find((one) => one.type === 'PodScheduled');
      if (scheduled?.status === 'False' && clock.monotonicMs() - startedMs > 8_000)
        throw new BerthError('SANDBOX_UNSCHEDULABLE');
      if (seen === null || clock.monotonicMs() - startedMs > withinMs)
        throw new BerthError('SANDBOX_START_LATE', 'The pod that tries image volumes did not end in time.');
      await clock.sleep(lookEveryMs, signal);
    }
  } finally {
    await client.delete(name, { graceSeconds: 0 }, AbortSignal.timeout(15_000)).catch(() => undefined);
  }
}

function probePod({ installation, namespace, toolsImage }: ToolsProbeOptions, id: string): V1Pod {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      // Named as a sandbox, so that the reconciler finds it when nobody lives to remove it.
      name: podName(id),
      namespace,
      labels: {
        ...meshOptOut.labels,
        ...podLabels({ installation, runId: 'probe', id, epoch: 0, purpose: 'verify' }),
      },
      annotations: { ...meshOptOut.annotations },
    },
    spec: {
      restartPolicy: 'Never',
      activeDeadlineSeconds: 300,
      terminationGracePeriodSeconds: 1,
      automountServiceAccountToken: false,
      enableServiceLinks: false,
      securityContext: { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } },
      containers: [
        {
          name: 'probe',
          image: toolsImage,
          imagePullPolicy: 'IfNotPresent',
          command: [toolPaths.node, '-e', 'process.exit(0)'],
          securityContext: sandboxdSecurity,
          resources: {
            requests: { cpu: '50m', memory: '128Mi', 'ephemeral-storage': '16Mi' },
            limits: { cpu: '1', memory: '128Mi', 'ephemeral-storage': '16Mi' },
          },
          volumeMounts: [{ name: 'tools', mountPath: podPaths.tools, readOnly: true }],
        },
      ],
      volumes: [{ name: 'tools', image: { reference: toolsImage, pullPolicy: 'IfNotPresent' } }],
    },
  };
}
