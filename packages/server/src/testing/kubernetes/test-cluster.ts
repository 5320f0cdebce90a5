import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openChannelAuthority } from '../../channel/authority.ts';
import {
  KubernetesDriver,
  loadCredentials,
  openConnection,
  reachByAddress,
  type KubernetesOptions,
} from '../../sandboxes/kubernetes/index.ts';
import { podNetworkIsMissing } from '../pod-network.ts';
import { testClock } from '../test-clock.ts';
import { startApiServer, type TestApiServer } from './api-server.ts';
import { processNode, type ProcessNode } from './process-node.ts';

/** What this machine lacks for pods that are processes, or null. */
export const testClusterIsMissing: string | null =
  podNetworkIsMissing ??
  ['/usr/bin/bwrap', '/usr/bin/openssl'].find((program) => !existsSync(program)) ??
  null;

export interface TestCluster {
  readonly server: TestApiServer;
  readonly node: ProcessNode;
  readonly driver: KubernetesDriver;
  /** Another worker of the same installation. */
  newDriver(change?: Partial<KubernetesOptions>): Promise<KubernetesDriver>;
  close(): Promise<void>;
}

/** A cluster of one namespace whose pods are real processes, and a driver for it. */
export async function testCluster(): Promise<TestCluster> {
  const server = await startApiServer();
  const node = await processNode(server);
  const control = mkdtempSync(join(tmpdir(), 'berth-control-'));
  const drivers: KubernetesDriver[] = [];
  const newDriver = async (change: Partial<KubernetesOptions> = {}): Promise<KubernetesDriver> => {
    const driver = new KubernetesDriver({
      connection: openConnection(await loadCredentials(server.kubeconfig)),
      namespace: server.namespace,
      installation: 'test',
      authority: openChannelAuthority({ directory: control }, testClock),
      toolsImage: 'localhost/berth-tools:1',
      defaultImage: 'localhost/work:1',
      tools: { kind: 'image-volume' },
      reach: reachByAddress,
      isOutside: false,
      gate: [],
      clock: testClock,
      ...change,
    });
    drivers.push(driver);
    return driver;
  };
  return {
    server,
    node,
    driver: await newDriver(),
    newDriver,
    async close() {
      await Promise.all(drivers.map((driver) => driver.close()));
      await node.close();
      await server.close();
      rmSync(control, { recursive: true, force: true });
    },
  };
}
