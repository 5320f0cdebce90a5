import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { StoredEvent } from '../domain/events/index.ts';
import { defaultRunLimits } from '../domain/limits.ts';
import type { Sandbox, SandboxDriver, SandboxSpec } from '../domain/ports/sandbox.ts';
import { repositoryDelivery } from '../runs/equip/delivery.ts';
import { runRepository } from '../runs/equip/repository.ts';
import { createWorkbench, type OwnedWorkbench, repositoryPath } from '../sandboxes/workbench.ts';
import { MemoryBlobs } from './agent-harness.ts';
import { execRequest, runToEnd, startCall } from './exec-helper.ts';
import { gitIn, makeRepository, TestPlace } from './git-fixtures.ts';
import { memoryLog } from './memory-log.ts';
import { testClock } from './test-clock.ts';

/** What the suite needs of an adapter. */
export interface PauseContractSubject {
  readonly driver: SandboxDriver;
  /** The same sandboxes as another worker's driver sees them; absent: the driver lives in this process alone. */
  readonly another?: () => SandboxDriver;
  readonly spec: () => SandboxSpec;
  readonly cleanUp: () => Promise<void>;
}

const soon = (): AbortSignal => AbortSignal.timeout(120_000);

/** Pause, resume and branching off: paused means saved, and the sandbox is a favour. The same for every driver. */
export function pauseContract(title: string, make: () => Promise<PauseContractSubject>): void {
  describe(`${title}: pause and resume`, () => {
    const place = new TestPlace();
    const blobs = new MemoryBlobs();
    const repository = place.path('repository');
    let subject: PauseContractSubject;
    let base = '';
    let epoch = 0;

    beforeAll(async () => {
      subject = await make();
      makeRepository(repository, { 'kept.txt': 'as it was\n' });
      base = gitIn(repository, ['rev-parse', 'HEAD']);
    });
    afterAll(async () => {
      await subject?.cleanUp();
      place.cleanUp();
    });

    /** The run's entries so far, after it was planned. */
    const planned = async (): Promise<StoredEvent[]> => {
      const entries: StoredEvent[] = [];
      const blueprint = { version: 1 as const, name: 'test', setup: [], checks: [], steps: [], limits: {} };
      await memoryLog(entries).append({
        type: 'run.planned',
        data: {
          base: { ref: 'main', commit: base },
          blueprint: { ...blueprint, protectedPaths: [] },
          source: { kind: 'detected', ecosystems: [] },
          limits: defaultRunLimits,
          models: {},
          simulated: false,
        },
      });
      return entries;
    };

    /** The next owner of a run, with what stops its work. */
    const own = (
      entries: StoredEvent[],
      driver = subject.driver,
    ): { workbench: OwnedWorkbench; stop: () => void } => {
      epoch += 1;
      const control = new AbortController();
      const log = memoryLog(entries);
      const { limits, profile } = subject.spec();
      const workbench = createWorkbench({
        runId: 'r-test',
        epoch,
        driver,
        limits,
        profile,
        events: log,
        log,
        clock: testClock,
        blobs,
        signal: control.signal,
        repository: repositoryDelivery(
          runRepository(place.path('home'), repository, soon(), () => true),
          blobs,
        ),
        newSandboxId: () => subject.spec().id,
      });
      return { workbench, stop: () => control.abort(new Error('paused')) };
    };

    const inRepository = async (sandbox: Sandbox, script: string): Promise<string> =>
      (
        await runToEnd(sandbox, execRequest(script, { cwd: repositoryPath.slice('/workspace/'.length) }))
      ).stdout
        .toString()
        .trim();
    /** A run that has worked and is paused, as its owner leaves it. */
    const paused = async (): Promise<{ entries: StoredEvent[]; sandbox: Sandbox }> => {
      const entries = await planned();
      const { workbench, stop } = own(entries);
      const sandbox = await workbench.sandbox('work');
      await inRepository(sandbox, 'echo changed >kept.txt; mkdir -p sub; echo new >sub/new.txt');
      stop();
      await workbench.saveAtRest(soon());
      await workbench.detach();
      workbench.close();
      return { entries, sandbox };
    };
    const typesOf = (entries: readonly StoredEvent[]): string[] => entries.map(({ type }) => type).slice(1);
    const readBoth = 'cat kept.txt sub/new.txt';

    test('paused means saved, also after the work was stopped', async () => {
      const { entries, sandbox } = await paused();
      expect(typesOf(entries)).toEqual(['sandbox.created', 'checkpoint.saved']);
      await subject.driver.destroy(sandbox.ref.id);
    });

    test('resumed in time it finds its sandbox, and the command that was left running', async () => {
      const entries = await planned();
      const first = own(entries);
      const sandbox = await first.workbench.sandbox('work');
      const request = execRequest('echo begun >>began; echo up; read -r go; cat began', { stdin: 'open' });
      const call = startCall(sandbox, request);
      await call.printed('up');
      first.stop();
      await first.workbench.saveAtRest(soon());
      await first.workbench.detach();
      await call.done.catch(() => undefined);
      const second = own(entries);
      const found = await second.workbench.sandbox('work');
      expect(found.ref).toEqual(sandbox.ref);
      await found.writeStdin(request.id, Buffer.from('go\n'));
      expect((await runToEnd(found, request)).stdout.toString()).toBe('up\nbegun\n');
      expect(typesOf(entries)).not.toContain('sandbox.lost');
      await second.workbench.release('work');
    });

    test('resumed later it goes on from the checkpoint in another sandbox, and its log says so', async () => {
      const { entries, sandbox } = await paused();
      // As the reconciler does, of whichever worker: the one that made it may be dead.
      await (subject.another?.() ?? subject.driver).destroy(sandbox.ref.id);
      const { workbench } = own(entries, subject.another?.() ?? subject.driver);
      const next = await workbench.sandbox('work');
      expect(next.ref.id).not.toBe(sandbox.ref.id);
      expect(await inRepository(next, readBoth)).toBe('changed\nnew');
      expect(typesOf(entries).slice(2)).toEqual(['sandbox.lost', 'sandbox.created']);
      expect(entries.at(-1)).toMatchObject({ data: { restoredFrom: expect.stringMatching(/./) as string } });
      await workbench.release('work');
    });

    test('what was not paused in time, or had no sandbox, rests all the same', async () => {
      const entries = await planned();
      const { workbench, stop } = own(entries);
      stop();
      await workbench.saveAtRest(soon());
      await workbench.detach();
      expect(typesOf(entries)).toEqual([]);
    });

    test('a run that branches off has a copy of its own', async () => {
      const { entries, sandbox } = await paused();
      const saved = entries.find(({ type }) => type === 'checkpoint.saved');
      const branched = await planned();
      if (saved?.type === 'checkpoint.saved')
        await memoryLog(branched).append({ type: 'checkpoint.saved', data: saved.data });
      const [parent, child] = [own(entries), own(branched)];
      const original = await parent.workbench.sandbox('work');
      const copy = await child.workbench.sandbox('work');
      expect(original.ref.id).toBe(sandbox.ref.id);
      expect(copy.ref.id).not.toBe(original.ref.id);
      expect(await inRepository(copy, readBoth)).toBe('changed\nnew');
      await inRepository(copy, 'echo of the copy >kept.txt; rm -r sub');
      expect(await inRepository(original, readBoth)).toBe('changed\nnew');
      await inRepository(original, 'echo of the original >kept.txt');
      expect(await inRepository(copy, 'cat kept.txt; ls')).toBe('of the copy\nkept.txt');
      await parent.workbench.release('work');
      expect(await inRepository(copy, 'cat kept.txt')).toBe('of the copy');
      await child.workbench.release('work');
    });
  });
}
