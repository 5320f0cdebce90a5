import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { Sandbox, SandboxSpec } from '../../domain/ports/sandbox.ts';
import { sandboxProfileSchema } from '../../domain/config/sandboxes.ts';
import { execRequest, runToEnd, startCall } from '../../testing/exec-helper.ts';
import { fakeSpec } from '../../testing/fake-sandbox.ts';
import {
  testCluster,
  testClusterIsMissing,
  type TestCluster,
} from '../../testing/kubernetes/test-cluster.ts';
import { podName } from './labels.ts';

const soon = (): AbortSignal => AbortSignal.timeout(120_000);

describe.skipIf(testClusterIsMissing !== null)(
  `faults of a cluster${testClusterIsMissing === null ? '' : `: ${testClusterIsMissing} is missing`}`,
  () => {
    let cluster: TestCluster;
    beforeAll(async () => {
      cluster = await testCluster();
      // The first one asks the tools of this machine where their registries are, which takes some seconds.
      const first = await cluster.driver.create(fakeSpec(), AbortSignal.timeout(110_000));
      await first.destroy();
    });
    afterEach(() => {
      const { server, node } = cluster;
      Object.assign(server.rules, { quota: null, maxMemoryBytes: null });
      node.missingImages.clear();
      node.unschedulable = null;
    });
    afterAll(async () => {
      await cluster?.close();
    });

    const make = async (spec: SandboxSpec = fakeSpec()): Promise<[Sandbox, string, SandboxSpec]> => [
      await cluster.driver.create(spec, soon()),
      podName(spec.id),
      spec,
    ];
    /** Waits until the cluster has no pod of ours and no process of one. */
    const isEmpty = async (): Promise<void> => {
      await expect.poll(() => cluster.node.running()).toEqual([]);
      await expect.poll(() => cluster.server.store.all()).toEqual([]);
    };
    const refusalOf = async (spec: SandboxSpec = fakeSpec()): Promise<{ code: string; message: string }> => {
      const startedMs = performance.now();
      const error = (await cluster.driver.create(spec, soon()).catch((reason: unknown) => reason)) as never;
      expect(performance.now() - startedMs).toBeLessThan(90_000);
      await isEmpty();
      return error;
    };

    test('a pod that somebody deletes is a sandbox that is lost, and said to be deleted', async () => {
      const [sandbox, name] = await make();
      const { store } = cluster.server;
      const uid = store.get(name)!.metadata!.uid!;
      cluster.node.stop(store.get(name)!, 0);
      expect(await sandbox.lost).toMatchObject({ code: 'SANDBOX_DELETED' });
      expect(await sandbox.exec(execRequest('true'), { signal: soon() })).toEqual({
        kind: 'lost',
        what: 'sandbox',
      });
      expect(store.all().map((pod) => pod.metadata!.uid)).not.toContain(uid);
      await sandbox.destroy();
      await isEmpty();
    });

    test('commands have the environment of the image, then ours, then that of the spec', async () => {
      const [sandbox] = await make(fakeSpec({ env: { GREETING: 'hello' } }));
      const ran = await runToEnd(sandbox, execRequest('echo "$FROM_IMAGE $GREETING $HOME"; echo "$PATH"'));
      const [said, path] = ran.stdout.toString().split('\n');
      expect(said).toBe('yes hello /home/agent');
      expect(path).toContain(
        '/home/agent/.local/bin:/opt/image/bin:/usr/sbin:/usr/bin:/sbin:/bin:/opt/berth/bin',
      );
      await sandbox.destroy();
      await isEmpty();
    });

    test('an eviction is told with its reason, and the pod that stays behind is destroyed', async () => {
      const [sandbox, name] = await make();
      await cluster.node.evict(name, 'Usage of EmptyDir volume "workspace" exceeds the limit "20Mi".');
      expect(await sandbox.lost).toMatchObject({
        code: 'SANDBOX_EVICTED',
        sentence: expect.stringContaining('EmptyDir volume "workspace"'),
      });
      expect((await cluster.driver.list()).map(({ id }) => id)).toEqual([sandbox.ref.id]);
      await cluster.driver.destroy(sandbox.ref.id);
      await isEmpty();
    });

    test('a node that is gone is told as that', async () => {
      const [sandbox, name] = await make();
      cluster.node.lose(name);
      expect(await sandbox.lost).toMatchObject({ code: 'SANDBOX_NODE_LOST' });
      await sandbox.destroy();
      await isEmpty();
    });

    test('a restarted sandboxd is another one: the sandbox is lost, and nobody attaches to it', async () => {
      const [sandbox, name, spec] = await make();
      cluster.node.container(name, 'sandboxd').kill();
      expect(await sandbox.lost).toMatchObject({ code: 'SANDBOX_RESTARTED' });
      expect(await cluster.driver.attach(sandbox.ref, { ...spec, epoch: 2 }, soon())).toBeNull();
      await sandbox.destroy();
      await isEmpty();
    });

    test('a memory kill of work ends the command with that reason, and the sandbox and its files live on', async () => {
      const [sandbox, name] = await make();
      await sandbox.write('kept', Buffer.from('x'));
      const call = startCall(sandbox, execRequest('echo up; sleep 1000'));
      await call.printed('up');
      cluster.node.outOfMemory(name);
      expect(await call.done).toMatchObject({ kind: 'exited', outOfMemory: true });
      const again = async (): Promise<string> =>
        (await runToEnd(sandbox, execRequest('cat /workspace/kept'))).stdout.toString();
      await expect.poll(() => again().catch(() => '')).toBe('x');
      await sandbox.destroy();
      await isEmpty();
    });

    test('a killed worker leaves a sandbox that the next one finds with its commands', async () => {
      const [sandbox, , spec] = await make();
      const request = execRequest('echo up; while [ ! -e go ]; do sleep 0.05; done; echo over');
      const call = startCall(sandbox, request);
      await call.printed('up');
      const next = await cluster.newDriver();
      const found = await next.attach(sandbox.ref, { ...spec, epoch: spec.epoch + 1 }, soon());
      expect(await sandbox.lost).toMatchObject({ code: 'SANDBOX_TAKEN_OVER' });
      await found!.write('go', Buffer.from(''));
      expect((await runToEnd(found!, request)).stdout.toString()).toBe('up\nover\n');
      await found!.destroy();
      expect(await next.attach(sandbox.ref, { ...spec, epoch: spec.epoch + 2 }, soon())).toBeNull();
      await isEmpty();
    });

    test('an API server that is away is waited for: running sandboxes work on, and a new one is made after', async () => {
      const [sandbox] = await make();
      await cluster.server.away();
      const created = cluster.driver.create(fakeSpec(), soon());
      expect((await runToEnd(sandbox, execRequest('echo on'))).stdout.toString()).toBe('on\n');
      await cluster.server.back();
      const second = await created;
      expect((await runToEnd(second, execRequest('echo new'))).stdout.toString()).toBe('new\n');
      let isLost = false;
      void sandbox.lost.then(() => (isLost = true));
      expect((await runToEnd(sandbox, execRequest('echo still'))).stdout.toString()).toBe('still\n');
      expect(isLost).toBe(false);
      await Promise.all([sandbox.destroy(), second.destroy()]);
      await isEmpty();
    });

    test('an API server that stays away is said to be, and nothing is left when it is back', async () => {
      const driver = await cluster.newDriver({ patienceMs: 1_000 });
      await cluster.server.away();
      await expect(driver.create(fakeSpec(), soon())).rejects.toMatchObject({
        code: 'SANDBOX_CLUSTER_UNREACHABLE',
      });
      await cluster.server.back();
      await isEmpty();
    });

    test('an API server that serves before it knows its roles is asked again', async () => {
      const verbs = [...cluster.server.allowed];
      cluster.server.allowed.clear();
      const making = make();
      const refused = cluster.server.asked.length;
      await expect.poll(() => cluster.server.asked.length, { timeout: 20_000 }).toBeGreaterThan(refused + 1);
      for (const verb of verbs) cluster.server.allowed.add(verb);
      const [sandbox] = await making;
      await sandbox.destroy();
      await isEmpty();
    });

    test('429 in plain text is waited out', async () => {
      cluster.server.throttle(2);
      const [sandbox] = await make();
      await sandbox.destroy();
      await isEmpty();
    });

    test('an expired watch loses nothing', async () => {
      const [sandbox, name] = await make();
      cluster.server.store.compact();
      await cluster.server.away();
      await cluster.server.back();
      await cluster.node.evict(name, 'The node was low on resource: memory.');
      expect(await sandbox.lost).toMatchObject({ code: 'SANDBOX_EVICTED' });
      await sandbox.destroy();
      await isEmpty();
    });

    test('a pod whose labels are changed is not used any more', async () => {
      const [sandbox, name] = await make();
      const { store } = cluster.server;
      store.update(store.get(name)!.metadata!.uid!, (pod) => {
        pod.metadata!.labels = {};
        return pod;
      });
      expect(await sandbox.lost).toMatchObject({
        code: 'SANDBOX_DELETED',
        sentence: expect.stringContaining('labels'),
      });
      await sandbox.destroy();
      await isEmpty();
    });

    test('a quota that is used up is a wait, and touches nobody else', async () => {
      const [sandbox] = await make();
      cluster.server.rules.quota = { pods: 1 };
      const refused = (await cluster.driver
        .create(fakeSpec(), soon())
        .catch((error: unknown) => error)) as never;
      expect(refused).toMatchObject({ code: 'SANDBOX_QUOTA', retryable: true });
      expect(String(refused)).toContain(
        'exceeded quota: berth, requested: pods=1, used: pods=1, limited: pods=1',
      );
      expect((await runToEnd(sandbox, execRequest('echo on'))).stdout.toString()).toBe('on\n');
      await sandbox.destroy();
      await isEmpty();
      const [next] = await make();
      await next.destroy();
      await isEmpty();
    });

    test('each refusal has its own code, and leaves nothing', async () => {
      cluster.server.rules.maxMemoryBytes = 1024 ** 2;
      expect(await refusalOf()).toMatchObject({ code: 'SANDBOX_LIMIT_RANGE' });
      cluster.server.rules.maxMemoryBytes = null;
      const profile = sandboxProfileSchema.parse({ name: 'x', kubernetes: { runtimeClass: 'gvisor' } });
      expect(await refusalOf(fakeSpec({ profile }))).toMatchObject({ code: 'SANDBOX_RUNTIME_CLASS' });
      cluster.node.missingImages.add('localhost/work:1');
      expect(await refusalOf()).toMatchObject({ code: 'SANDBOX_IMAGE' });
      cluster.node.missingImages.clear();
      cluster.node.unschedulable = '0/1 nodes are available: 1 Insufficient cpu.';
      expect(await refusalOf()).toMatchObject({
        code: 'SANDBOX_UNSCHEDULABLE',
        message: expect.stringContaining('Insufficient cpu'),
      });
      cluster.node.unschedulable = null;
      cluster.server.allowed.delete('create pods');
      expect(await refusalOf()).toMatchObject({ code: 'SANDBOX_CLUSTER_FORBIDDEN' });
      cluster.server.allowed.add('create pods');
    });

    test('a create that is given up leaves nothing', async () => {
      cluster.node.missingImages.add('localhost/berth-tools:1');
      cluster.node.unschedulable = 'held';
      const stop = new AbortController();
      const creating = cluster.driver.create(fakeSpec(), stop.signal);
      await expect.poll(() => cluster.server.store.all().length).toBe(1);
      stop.abort(new Error('cancelled'));
      await expect(creating).rejects.toThrow('cancelled');
      await isEmpty();
    });

    test('lists its own with whose they are and when they were made', async () => {
      const [sandbox, , spec] = await make(fakeSpec({ runId: 'r-0123' }));
      const [found, ...others] = await cluster.driver.list();
      expect(others).toEqual([]);
      expect(found).toMatchObject({ id: spec.id, runId: 'r-0123' });
      expect(Math.abs(Date.now() - found!.createdMs)).toBeLessThan(60_000);
      await sandbox.destroy();
      await isEmpty();
    });

    test('nothing but the verbs of the Role was asked for, and nothing that no recording covers', () => {
      expect(cluster.server.uncovered).toEqual([]);
      expect(new Set(cluster.server.asked)).toEqual(
        new Set(['list pods', 'watch pods', 'create pods', 'get pods', 'get pods/log', 'delete pods']),
      );
    });
  },
);
