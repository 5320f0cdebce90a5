import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { sandboxProfileSchema, type SandboxProfile } from '../domain/config/sandboxes.ts';
import type { EgressDecision } from '../domain/egress.ts';
import type { Sandbox, SandboxDriver, SandboxSpec } from '../domain/ports/sandbox.ts';
import { kindOf, neutralSpec } from '../sandboxes/pool/member.ts';
import { type PoolOrder, WarmPool } from '../sandboxes/pool/index.ts';
import { execRequest, runToEnd } from './exec-helper.ts';
import { testClock } from './test-clock.ts';

/** What the suite needs of an adapter. */
export interface PoolContractSubject {
  readonly driver: SandboxDriver;
  /** A new spec of a run; every id is new. */
  readonly spec: (overrides?: Partial<SandboxSpec>) => SandboxSpec;
  /** What its profile has besides name and pool. */
  readonly profile: Partial<SandboxProfile>;
  /** Whether the driver's way out decides by policy: the fake's does not. */
  readonly hasDoor: boolean;
  readonly cleanUp: () => Promise<void>;
}

const soon = (): AbortSignal => AbortSignal.timeout(120_000);

async function said(sandbox: Sandbox, script: string): Promise<string> {
  return (await runToEnd(sandbox, execRequest(script))).stdout.toString().trim();
}

/** A warm pool over a driver, and what it promises: the same for the fake and for every real driver. */
export function poolContract(title: string, make: () => Promise<PoolContractSubject>): void {
  describe(`${title}: the warm pool`, () => {
    let subject: PoolContractSubject;
    let profile: SandboxProfile;
    let places = 0;

    beforeAll(async () => {
      subject = await make();
      profile = profileOf({ min: 2, max: 4, idleTarget: 2 });
    });
    afterAll(() => subject?.cleanUp());

    const profileOf = (pool: SandboxProfile['pool'], more: Partial<SandboxProfile> = {}): SandboxProfile =>
      sandboxProfileSchema.parse({ name: 'test', ...subject.profile, ...more, pool });
    const specOf = (overrides: Partial<SandboxSpec> = {}): SandboxSpec =>
      subject.spec({ profile, ...overrides });

    /** A pool that is full, its end, and what it wants, which may be changed. */
    const fullPool = async (
      order: Partial<PoolOrder> = {},
    ): Promise<{ pool: WarmPool; end: () => Promise<void> }> => {
      const pool = new WarmPool(subject.driver, testClock);
      const { limits } = specOf();
      const end = pool.start({
        wishes: () => [{ profile, limits }],
        owner: () => 'w-test',
        newSandboxId: () => subject.spec().id,
        ...order,
      });
      await expect.poll(() => pool.state().idle, { timeout: 60_000 }).toBe(2);
      return { pool, end };
    };
    const idleOne = (): Promise<Sandbox> => {
      places += 1;
      const { id, limits } = specOf();
      return subject.driver.create(neutralSpec(id, `pool.w-test.${places}`, profile, limits), soon());
    };

    test('a member is given to its run: its own id, the run for the reconciler, its environment', async () => {
      const idle = await idleOne();
      const spec = specOf({ runId: 'r-claims', epoch: 3, env: { FORWARDED: 'value of the run' } });
      const given = await subject.driver.assign?.(idle.ref, spec, soon());
      expect(given?.ref).toEqual(idle.ref);
      const listed = (await subject.driver.list()).find(({ id }) => id === idle.ref.id);
      expect(listed?.runId).toBe('r-claims');
      expect(await said(given!, 'echo "$FORWARDED"')).toBe('value of the run');
      // What the command itself sets wins, as over the environment of a cold one.
      const own = await runToEnd(given!, execRequest('echo "$FORWARDED"', { env: { FORWARDED: 'own' } }));
      expect(own.stdout.toString()).toBe('own\n');
      await given!.destroy();
    });

    test('the next owner finds a claimed one with its environment, which he need not know', async () => {
      const idle = await idleOne();
      const spec = specOf({ epoch: 1, env: { FORWARDED: 'kept' } });
      const given = await subject.driver.assign!(idle.ref, spec, soon());
      const request = execRequest('echo "$FORWARDED" >>seen; cat seen');
      await runToEnd(given!, request);
      const next = await subject.driver.attach(
        idle.ref,
        { ...spec, id: idle.ref.id, env: {}, epoch: 2 },
        soon(),
      );
      // The same call joins, although this owner's request says nothing of the environment.
      expect((await runToEnd(next!, request)).stdout.toString()).toBe('kept\n');
      expect(await said(next!, 'echo "$FORWARDED"')).toBe('kept');
      await next!.destroy();
    });

    test('is given once, and not at all when anything was done in it', async () => {
      const twice = await idleOne();
      const first = await subject.driver.assign!(twice.ref, specOf({ epoch: 1 }), soon());
      expect(first).not.toBeNull();
      expect(await subject.driver.assign!(twice.ref, specOf({ epoch: 2 }), soon())).toBeNull();
      await subject.driver.destroy(twice.ref.id);
      for (const use of [
        (sandbox: Sandbox) => runToEnd(sandbox, execRequest('true')),
        (sandbox: Sandbox) => sandbox.write('planted', Buffer.from('x')),
      ]) {
        const used = await idleOne();
        await use(used);
        expect(await subject.driver.assign!(used.ref, specOf(), soon())).toBeNull();
        await subject.driver.destroy(used.ref.id);
      }
    });

    test('one that is gone is given to nobody', async () => {
      const gone = await idleOne();
      await gone.destroy();
      expect(await subject.driver.assign!(gone.ref, specOf(), soon())).toBeNull();
    });

    test('two claims at once get two members, and nothing of one run is in the other', async () => {
      const { pool, end } = await fullPool();
      const runs = ['r-a', 'r-b'].map((runId) => specOf({ runId, env: { SECRET_OF: `secret of ${runId}` } }));
      const [one, other] = await Promise.all(runs.map((spec) => pool.create(spec, soon())));
      expect(one!.ref.id).not.toBe(other!.ref.id);
      for (const [index, sandbox] of [one!, other!].entries())
        expect(sandbox.ref.id).not.toBe(runs[index]!.id);
      await one!.write('left-by-a', Buffer.from('a'));
      expect(await said(one!, 'echo "$SECRET_OF"; echo x >/tmp/left; echo x >~/left')).toBe('secret of r-a');
      expect(await said(other!, 'echo "$SECRET_OF"; ls -A /workspace ~ | grep left')).toBe('secret of r-b');
      // What is made meanwhile has neither, in no place that a process inside can read.
      await expect.poll(() => pool.state().idle, { timeout: 60_000 }).toBeGreaterThanOrEqual(1);
      await one!.destroy();
      await other!.destroy();
      const later = await pool.create(specOf({ runId: 'r-c' }), soon());
      const scan =
        'echo planted-canary >/tmp/canary; grep -rlas "secret of r-\\|planted-canary" /proc/*/environ /tmp ~ /workspace';
      const found = await runToEnd(later, execRequest(scan, { env: { P: 'planted-canary' } }));
      expect(found.stdout.toString()).toContain('/tmp/canary');
      expect(found.stdout.toString()).not.toContain('secret');
      expect(await said(later, 'env | grep -c "secret of"')).toBe('0');
      await later.destroy();
      await end();
    });

    test('nothing leaves an idle one; a claimed one has the way out of its run', async () => {
      const idle = await idleOne();
      const decisions: EgressDecision[] = [];
      idle.onEgress((decision) => decisions.push(decision));
      const given = await subject.driver.assign!(
        idle.ref,
        specOf({ egress: { rules: [{ host: 'allowed.invalid', ports: [443] }] } }),
        soon(),
      );
      given!.onEgress((decision) => decisions.push(decision));
      if (subject.hasDoor) {
        const ask = (host: string): string =>
          `p=\${HTTPS_PROXY##*:}; exec 3<>/dev/tcp/127.0.0.1/\${p%/}; ` +
          `printf 'CONNECT ${host}:443 HTTP/1.1\\r\\nHost: ${host}:443\\r\\n\\r\\n' >&3; head -n1 <&3`;
        expect(await said(given!, ask('denied.invalid'))).toContain(' 403 ');
        const denied = decisions.find(({ host }) => host === 'denied.invalid');
        expect(denied).toMatchObject({
          allowed: false,
          reason: expect.stringContaining('no rule allows it') as string,
        });
        // Its rule lets it through; that there is no such host is another matter.
        expect(await said(given!, ask('allowed.invalid'))).not.toContain(' 403 ');
      }
      expect(neutralSpec('i', 'r', profile, specOf().limits)).toMatchObject({
        env: {},
        egress: { rules: [] },
        epoch: 0,
      });
      await given!.destroy();
    });

    test('a member that was killed costs no run anything but time', async () => {
      const { pool, end } = await fullPool();
      // Under the pool's hands: the claim may come before the loss is noticed, or after.
      const idle = await subject.driver.list();
      await Promise.all([
        ...idle.map(({ id }) => subject.driver.destroy(id)),
        pool.create(specOf(), soon()).then(async (sandbox) => {
          const ran = await runToEnd(sandbox, execRequest('echo alive')).catch(() => null);
          if (ran?.result.kind === 'exited') expect(ran.stdout.toString()).toBe('alive\n');
          await sandbox.destroy();
        }),
      ]);
      await expect.poll(() => pool.state().idle, { timeout: 60_000 }).toBeGreaterThanOrEqual(2);
      const after = await pool.create(specOf(), soon());
      expect(await said(after, 'echo alive')).toBe('alive');
      await after.destroy();
      await end();
    });

    test('ends every idle one when the worker stops, and no claimed one', async () => {
      const { pool, end } = await fullPool();
      const claimed = await pool.create(specOf(), soon());
      await end();
      expect((await subject.driver.list()).map(({ id }) => id)).toEqual([claimed.ref.id]);
      expect(await said(claimed, 'echo alive')).toBe('alive');
      await claimed.destroy();
    });

    test('what no longer fits is replaced, and a run with another profile gets a cold one', async () => {
      let wished = profile;
      const { limits } = specOf();
      const { pool, end } = await fullPool({ wishes: () => [{ profile: wished, limits }] });
      const other = profileOf(profile.pool, { cpus: 1 });
      expect(kindOf(other, limits)).not.toBe(kindOf(profile, limits));
      const spec = specOf({ profile: other });
      const cold = await pool.create(spec, soon());
      expect(cold.ref.id).toBe(spec.id);
      await cold.destroy();
      const before = (await subject.driver.list()).map(({ id }) => id);
      wished = other;
      // What it claims then was made under the new one.
      await expect
        .poll(
          async () => {
            const now = (await subject.driver.list()).map(({ id }) => id);
            return pool.state().idle === 2 && now.every((id) => !before.includes(id));
          },
          { timeout: 60_000 },
        )
        .toBe(true);
      await end();
      expect(await subject.driver.list()).toEqual([]);
    });
  });
}
