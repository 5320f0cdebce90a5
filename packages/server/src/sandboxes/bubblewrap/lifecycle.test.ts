import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { bubblewrapIsMissing, testDriver } from '../../testing/bubblewrap.ts';
import { execRequest, runToEnd, startCall } from '../../testing/exec-helper.ts';
import { fakeSpec } from '../../testing/fake-sandbox.ts';
import { rootDirectory } from '../local/identity.ts';
import type { PlaceRecord } from '../local/place.ts';
import { isAlive } from '../local/processes.ts';

describe.skipIf(bubblewrapIsMissing)('the life of a bubblewrap sandbox (bwrap is not installed)', () => {
  const { driver, stateDirectory, cleanUp } = testDriver();
  afterAll(cleanUp);
  const soon = () => AbortSignal.timeout(120_000);
  const recordOf = (id: string) =>
    JSON.parse(readFileSync(join(stateDirectory, 'sandboxes', id, 'place.json'), 'utf8')) as PlaceRecord;

  test('probing says that it works, and names each limit', async () => {
    const { ok, checks } = await driver.probe();
    expect(checks.filter(({ state }) => state === 'fail')).toEqual([]);
    expect(ok).toBe(true);
    expect(checks.map(({ id }) => id)).toEqual([
      'bubblewrap',
      'user-namespaces',
      'seccomp',
      'sandbox-network',
      'sandbox-limits',
      'sandbox-disk',
    ]);
    for (const check of checks) if (check.state !== 'pass') expect(check.fix).not.toBeNull();
  });

  test('destroying leaves nothing: no process, directory, control group, mount, user id', async () => {
    const spec = fakeSpec();
    const sandbox = await driver.create(spec, soon());
    const record = recordOf(spec.id);
    expect(await driver.list()).toMatchObject([{ id: spec.id, runId: spec.runId }]);
    await runToEnd(
      sandbox,
      execRequest(`mkdir -p 'a
b'/-rf/x; touch "a\nb/-rf/x/\xff" ro; chmod 500 'a
b'/-rf/x; ln -s /etc/passwd link; setsid sleep 600 & setsid nohup sleep 601 >/dev/null 2>&1 &`),
    );
    await sandbox.destroy();
    await sandbox.destroy();
    expect(isAlive(record.sandboxd!)).toBe(false);
    expect(await driver.list()).toEqual([]);
    expect(record.cgroups.filter((directory) => existsSync(directory))).toEqual([]);
    expect(readFileSync('/proc/self/mounts', 'utf8')).not.toContain(spec.id);
    if (record.uid !== null) {
      expect(existsSync(join(rootDirectory, 'uids', String(record.uid)))).toBe(false);
      const owners = readdirSync('/proc')
        .filter((name) => /^\d+$/.test(name))
        .map((pid) => {
          try {
            return /^Uid:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
          } catch {
            return undefined;
          }
        });
      expect(owners).not.toContain(String(record.uid));
    }
  });

  test('destroying what is unknown, or half made, is fine', async () => {
    await expect(driver.destroy('never-made')).resolves.toBeUndefined();
    await expect(driver.destroy('../../etc')).rejects.toMatchObject({ code: 'SANDBOX_UNAVAILABLE' });
    const aborted = AbortSignal.abort(new Error('enough'));
    await expect(driver.create(fakeSpec(), aborted)).rejects.toThrow('enough');
    expect(await driver.list()).toEqual([]);
  });

  test('an abort in the middle of making takes everything back', async () => {
    for (const ms of [5, 20, 60, 120]) {
      const abort = new AbortController();
      setTimeout(() => abort.abort(new Error('enough')), ms);
      const made = await driver.create(fakeSpec(), abort.signal).catch((error: unknown) => error);
      if (!(made instanceof Error)) await (made as { destroy(): Promise<void> }).destroy();
      expect(await driver.list()).toEqual([]);
    }
  });

  test('when sandboxd is killed everything inside dies, and the sandbox is lost and cannot be attached to', async () => {
    const spec = fakeSpec();
    const sandbox = await driver.create(spec, soon());
    const call = startCall(sandbox, execRequest('echo up; sleep 600'));
    await call.printed('up');
    const record = recordOf(spec.id);
    process.kill(record.sandboxd!.pid, 'SIGKILL');
    expect(await call.done).toEqual({ kind: 'lost', what: 'sandbox' });
    expect(await sandbox.lost).toMatchObject({ code: 'SANDBOX_LOST' });
    expect(await driver.attach(sandbox.ref, { ...spec, epoch: 2 }, soon())).toBeNull();
    const left = () =>
      record.cgroups
        .flatMap((directory) => readFileSync(join(directory, 'cgroup.procs'), 'utf8').split('\n'))
        .filter(Boolean);
    await expect.poll(left).toEqual([]);
    await driver.destroy(spec.id);
    expect(await driver.list()).toEqual([]);
  });

  test('when everything inside is killed the calls end as lost, and the journal and the workspace stay', async () => {
    const spec = fakeSpec();
    const sandbox = await driver.create(spec, soon());
    await sandbox.write('kept', Buffer.from('still here'));
    const earlier = execRequest('echo earlier');
    await runToEnd(sandbox, earlier);
    const call = startCall(sandbox, execRequest('echo up; sleep 600'));
    await call.printed('up');
    const { cgroups, uid, sandboxd } = recordOf(spec.id);
    const pids =
      cgroups.length > 0
        ? readFileSync(join(cgroups[0]!, 'cgroup.procs'), 'utf8').split('\n').filter(Boolean)
        : [];
    expect(uid === null || pids.length > 3).toBe(true);
    for (const pid of pids) {
      try {
        process.kill(Number(pid), 'SIGKILL');
      } catch {
        // It went with its parent.
      }
    }
    if (pids.length > 0) expect(await call.done).toEqual({ kind: 'lost', what: 'runner' });
    expect(Buffer.from(await sandbox.read('kept')).toString()).toBe('still here');
    expect((await runToEnd(sandbox, earlier)).stdout.toString()).toBe('earlier\n');
    expect(isAlive(sandboxd!)).toBe(true);
    await sandbox.destroy();
  });

  test('many are made at once, each with a disk and a user of its own', async () => {
    const sandboxes = await Promise.all(Array.from({ length: 4 }, () => driver.create(fakeSpec(), soon())));
    await Promise.all(
      sandboxes.map((sandbox, index) => sandbox.write('mine', Buffer.from(`secret ${index}`))),
    );
    const uids = sandboxes.map(({ ref }) => recordOf(ref.id).uid);
    if (uids[0] !== null) expect(new Set(uids).size).toBe(4);
    for (const sandbox of sandboxes) {
      const { stdout } = await runToEnd(
        sandbox,
        execRequest('grep -rs secret /workspace /tmp /home /var /run | wc -l; ls -A /workspace'),
      );
      expect(stdout.toString()).toBe('1\nmine\n');
    }
    await Promise.all(sandboxes.map((sandbox) => sandbox.destroy()));
  });
});
