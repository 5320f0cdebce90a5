import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync } from 'node:fs';
import { dirname, join } from 'node:path';
import Docker from 'dockerode';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { execRequest, runToEnd, startCall } from '../../testing/exec-helper.ts';
import { fakeSpec } from '../../testing/fake-sandbox.ts';
import { podmanEnvironment } from '../../testing/podman-engine.ts';
import { imageProfile, podmanIsMissing, testContainerDriver, testImages } from '../../testing/podman.ts';
import { rootDirectory } from '../local/identity.ts';
import type { PlaceRecord } from '../local/place.ts';
import { isAlive } from '../local/processes.ts';
import { ContainerDriver } from './index.ts';

describe.skipIf(podmanIsMissing)(
  'the life of a container sandbox (Podman, busybox-static or root is missing)',
  () => {
    let subject: Awaited<ReturnType<typeof testContainerDriver>>;
    let docker: Docker;
    beforeAll(async () => {
      subject = await testContainerDriver();
      docker = new Docker({ socketPath: subject.engine });
    });
    afterAll(() => subject?.cleanUp());
    const soon = () => AbortSignal.timeout(120_000);
    const specOf = (more: Parameters<typeof fakeSpec>[0] = {}) =>
      fakeSpec({ profile: imageProfile(), ...more });
    const recordOf = (id: string) =>
      JSON.parse(
        readFileSync(join(subject.stateDirectory, 'sandboxes', id, 'place.json'), 'utf8'),
      ) as PlaceRecord;
    const namesOf = async () => (await docker.listContainers({ all: true })).flatMap(({ Names }) => Names);
    /** Podman answers late when the container is started again meanwhile: nobody waits for it. */
    const killContainer = (record: PlaceRecord): void =>
      void docker
        .getContainer(record.container!.name)
        .kill({ signal: 'KILL' })
        .catch(() => undefined);
    const processesOf = (uid: number | null) =>
      readdirSync('/proc')
        .filter((name) => /^\d+$/.test(name))
        .filter((pid) => {
          try {
            const status = readFileSync(`/proc/${pid}/status`, 'utf8');
            return Number(/^Uid:\s+(\d+)/m.exec(status)?.[1]) === uid && !/^State:\s+Z/m.test(status);
          } catch {
            return false;
          }
        });

    test('destroying leaves nothing: no container, process, mount, directory, user id', async () => {
      const spec = specOf();
      const sandbox = await subject.driver.create(spec, soon());
      const record = recordOf(spec.id);
      expect(await subject.driver.list()).toMatchObject([{ id: spec.id, runId: spec.runId }]);
      await runToEnd(sandbox, execRequest('touch x; setsid nohup sleep 601 >/dev/null 2>&1 &'));
      expect(await namesOf()).toContain(`/${record.container!.name}`);
      await sandbox.destroy();
      await sandbox.destroy();
      expect(isAlive(record.sandboxd!)).toBe(false);
      expect(await subject.driver.list()).toEqual([]);
      expect(await namesOf()).not.toContain(`/${record.container!.name}`);
      expect(readFileSync('/proc/self/mounts', 'utf8')).not.toContain(spec.id);
      expect(processesOf(record.uid)).toEqual([]);
      expect(existsSync(join(rootDirectory, 'uids', String(record.uid)))).toBe(false);
    });

    test('the engine was asked for everything that makes it a sandbox', async () => {
      const spec = specOf({ env: { FORWARDED: 'canary-of-the-record' } });
      const sandbox = await subject.driver.create(spec, soon());
      const { container, uid } = recordOf(spec.id);
      const found = await docker.getContainer(container!.name).inspect();
      expect(found.Config).toMatchObject({ User: `${uid}:${uid}`, Hostname: 'sandbox' });
      expect(found.Config.Labels).toMatchObject({
        'berth.sandbox': spec.id,
        'berth.run': spec.runId,
        'berth.epoch': '1',
        'berth.image': expect.stringMatching(/^sha256:[0-9a-f]{64}$/),
      });
      expect(found.HostConfig).toMatchObject({
        NetworkMode: 'none',
        ReadonlyRootfs: true,
        Privileged: false,
        Memory: spec.limits.memoryBytes,
        PidsLimit: spec.limits.processes + 32,
        RestartPolicy: { Name: 'no' },
      });
      expect(found.HostConfig.SecurityOpt).toContain('no-new-privileges');
      expect(JSON.stringify(found.Mounts)).not.toMatch(/podman\.sock|docker\.sock/);
      // What was forwarded is for commands, not for whoever looks at the engine.
      expect(JSON.stringify(found)).not.toContain('canary-of-the-record');
      const seen = await runToEnd(
        sandbox,
        execRequest('echo $FORWARDED $FROM_IMAGE; cat /proc/self/status; id'),
      );
      const text = seen.stdout.toString();
      expect(text).toContain('canary-of-the-record yes');
      expect(text).toMatch(/^CapEff:\s+0+$/m);
      expect(text).toMatch(/^CapBnd:\s+0+$/m);
      expect(text).toMatch(/^NoNewPrivs:\s+1$/m);
      expect(text).toMatch(/^Seccomp:\s+2$/m);
      expect(text).toContain(`uid=${uid}(agent)`);
      await sandbox.destroy();
    });

    test('when sandboxd is killed everything inside ends, and the sandbox is lost and cannot be attached to', async () => {
      const spec = specOf();
      const sandbox = await subject.driver.create(spec, soon());
      const call = startCall(sandbox, execRequest('echo up; sleep 600'));
      await call.printed('up');
      const record = recordOf(spec.id);
      process.kill(record.sandboxd!.pid, 'SIGKILL');
      expect(await call.done).toEqual({ kind: 'lost', what: 'sandbox' });
      expect(await sandbox.lost).toMatchObject({ code: 'SANDBOX_LOST' });
      expect(await subject.driver.attach(sandbox.ref, { ...spec, epoch: 2 }, soon())).toBeNull();
      await expect.poll(() => processesOf(record.uid)).toEqual([]);
      await subject.driver.destroy(spec.id);
      expect(await subject.driver.list()).toEqual([]);
    });

    test('when the container is killed its calls end as lost, it comes back, and journal and workspace stay', async () => {
      const spec = specOf();
      const sandbox = await subject.driver.create(spec, soon());
      await sandbox.write('kept', Buffer.from('still here'));
      const earlier = execRequest('echo earlier');
      await runToEnd(sandbox, earlier);
      const call = startCall(sandbox, execRequest('echo up; sleep 600'));
      await call.printed('up');
      const record = recordOf(spec.id);
      killContainer(record);
      expect(await call.done).toEqual({ kind: 'lost', what: 'runner' });
      expect(Buffer.from(await sandbox.read('kept')).toString()).toBe('still here');
      expect((await runToEnd(sandbox, earlier)).stdout.toString()).toBe('earlier\n');
      expect((await runToEnd(sandbox, execRequest('echo again'))).stdout.toString()).toBe('again\n');
      await sandbox.destroy();
    });

    test('when somebody removes the container the sandbox is lost, and destroying it is fine', async () => {
      const spec = specOf();
      const sandbox = await subject.driver.create(spec, soon());
      await docker.getContainer(recordOf(spec.id).container!.name).remove({ force: true });
      expect(await sandbox.lost).toMatchObject({ code: 'SANDBOX_LOST' });
      await sandbox.destroy();
      expect(await subject.driver.list()).toEqual([]);
    });

    test('memory that runs out is told apart from a kill, also after the container came back', async () => {
      const spec = specOf({ limits: { ...fakeSpec().limits, memoryBytes: 256 * 2 ** 20 } });
      const sandbox = await subject.driver.create(spec, soon());
      const eat = 'const a = []; for (;;) a.push(Buffer.alloc(16 << 20, 1))';
      const ate = { kind: 'exited', signal: 'SIGKILL', outOfMemory: true };
      expect((await runToEnd(sandbox, execRequest(['node', '-e', eat]))).result).toMatchObject(ate);
      const killed = await runToEnd(sandbox, execRequest('kill -9 $$'));
      expect(killed.result).toMatchObject({ signal: 'SIGKILL', outOfMemory: false });
      const call = startCall(sandbox, execRequest('echo up; sleep 600'));
      await call.printed('up');
      killContainer(recordOf(spec.id));
      expect(await call.done).toEqual({ kind: 'lost', what: 'runner' });
      expect((await runToEnd(sandbox, execRequest(['node', '-e', eat]))).result).toMatchObject(ate);
      await sandbox.destroy();
    });

    test('a container whose directory is gone is still listed, and removed', async () => {
      const spec = specOf();
      const sandbox = await subject.driver.create(spec, soon());
      const record = recordOf(spec.id);
      await sandbox.detach();
      const directory = join(subject.stateDirectory, 'sandboxes', spec.id);
      process.kill(record.sandboxd!.pid, 'SIGKILL');
      execFileSync('umount', ['--lazy', join(directory, 'disk')]);
      mkdirSync(join(subject.stateDirectory, 'lost'), { recursive: true });
      renameSync(directory, join(subject.stateDirectory, 'lost', spec.id));
      expect(await subject.driver.list()).toMatchObject([{ id: spec.id, runId: spec.runId }]);
      await subject.driver.destroy(spec.id);
      expect(await subject.driver.list()).toEqual([]);
    });

    test('destroying what is unknown, or half made, is fine', async () => {
      await expect(subject.driver.destroy('never-made')).resolves.toBeUndefined();
      const aborted = AbortSignal.abort(new Error('enough'));
      await expect(subject.driver.create(specOf(), aborted)).rejects.toThrow('enough');
      for (const ms of [30, 150, 400]) {
        const abort = new AbortController();
        setTimeout(() => abort.abort(new Error('enough')), ms);
        const made = await subject.driver.create(specOf(), abort.signal).catch((error: unknown) => error);
        if (!(made instanceof Error)) await (made as { destroy(): Promise<void> }).destroy();
      }
      expect(await subject.driver.list()).toEqual([]);
      expect(readFileSync('/proc/self/mounts', 'utf8')).not.toContain(subject.stateDirectory);
    });

    test('all sandboxes of a run have the image that its first one had', async () => {
      const podman = (...args: readonly string[]): string =>
        execFileSync('podman', args, { env: podmanEnvironment(dirname(subject.engine)) }).toString();
      const name = 'localhost/berth-moving:test';
      podman('tag', testImages.debian, name);
      const spec = specOf({ runId: 'r_pinned', profile: imageProfile({ image: name }) });
      const first = await subject.driver.create(spec, soon());
      const image = recordOf(spec.id).container!.image;
      await first.destroy();
      podman('tag', testImages.busybox, name);
      const again = specOf({ runId: 'r_pinned', profile: imageProfile({ image: name }) });
      const other = specOf({ runId: 'r_other', profile: imageProfile({ image: name }) });
      const [second, third] = [
        await subject.driver.create(again, soon()),
        await subject.driver.create(other, soon()),
      ];
      expect(recordOf(again.id).container!.image).toBe(image);
      expect(recordOf(other.id).container!.image).not.toBe(image);
      await Promise.all([second.destroy(), third.destroy()]);
    });

    test('what it cannot be is refused with a code', async () => {
      const refusal = async (more: Parameters<typeof specOf>[0]) =>
        await subject.driver.create(specOf(more), soon()).then(
          () => null,
          (error: unknown) => error,
        );
      expect(await refusal({ profile: null })).toMatchObject({
        code: 'SANDBOX_UNSUPPORTED',
        message: expect.stringContaining('`image`'),
      });
      const service = { name: 'db', image: 'postgres', port: 5432 };
      expect(
        await refusal({
          profile: imageProfile({ services: [service, { ...service, name: 'other' }] as never }),
        }),
      ).toMatchObject({
        code: 'SANDBOX_UNSUPPORTED',
      });
      expect(await refusal({ profile: imageProfile({ runtime: 'kata-not-here' }) })).toMatchObject({
        code: 'SANDBOX_UNSUPPORTED',
        message: expect.stringContaining('kata-not-here'),
      });
      expect(await refusal({ profile: imageProfile({ image: 'localhost/nothing:here' }) })).toMatchObject({
        code: 'SANDBOX_IMAGE',
      });
      const nowhere = new ContainerDriver({
        stateDirectory: subject.stateDirectory,
        clock: { nowMs: Date.now } as never,
        env: { DOCKER_HOST: 'tcp://192.0.2.1:2375' },
      });
      await expect(nowhere.create(specOf(), soon())).rejects.toMatchObject({ code: 'SANDBOX_UNAVAILABLE' });
      expect(await subject.driver.list()).toEqual([]);
    });

    test('probing says that it works, and what is missing without an engine, with the command that mends it', async () => {
      const { ok, checks } = await subject.driver.probe();
      expect(ok).toBe(true);
      expect(checks.map(({ id, state }) => [id, state])).toEqual([
        ['container-engine', 'pass'],
        ['container-user', 'pass'],
        ['container-limits', 'pass'],
        ['container-storage', 'pass'],
        ['container-tools', 'pass'],
        ['container-disk', 'pass'],
      ]);
      const { stateDirectory } = subject;
      const nowhere = new ContainerDriver({
        stateDirectory,
        clock: { nowMs: Date.now } as never,
        env: { DOCKER_HOST: 'unix:///nowhere.sock' },
      });
      const without = await nowhere.probe();
      expect(without.ok).toBe(false);
      expect(without.checks[0]).toMatchObject({ id: 'container-engine', state: 'fail' });
      expect(without.checks[0]!.fix).toContain('DOCKER_HOST');
    });
  },
);
