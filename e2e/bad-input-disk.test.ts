import { execFileSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, rmdirSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import type { BerthError } from '../packages/server/src/domain/errors/index.ts';
import { makeRepository } from '../packages/server/src/testing/git-fixtures.ts';
import { bubblewrapMissing } from './support/parts.ts';
import { changing, dataOf, openWorld, withBlueprint, type World } from './support/world.ts';

const missing = bubblewrapMissing ?? (canMount() ? null : 'mounting needs root');

/** The disk of the data directory is full: that is said with a code, nothing is lost, and with room it goes on. */
describe.skipIf(missing !== null)(`bad input: full disk (${missing ?? 'tmpfs'})`, () => {
  let world: World;
  let disk: string;
  let repository: string;
  const said: string[] = [];
  let act: { readonly type: string; readonly act: () => void } | null = null;

  beforeAll(async () => {
    disk = mkdtempSync('/var/tmp/berth-e2e-disk-');
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=420m,mode=0711', 'berth-e2e', disk]);
    // Outside of the full disk: what a run works on is somebody else's.
    repository = makeRepository(`${disk}.repository`, { 'README.md': '# disk\n' });
    world = await openWorld({
      directory: disk,
      onProgress: (sentence) => said.push(sentence),
      onAppended: (_state, types) => {
        if (act === null || !types.includes(act.type)) return;
        const now = act.act;
        act = null;
        now();
      },
    });
  });
  afterAll(async () => {
    await world.server.stop();
    execFileSync('umount', ['--lazy', disk]);
    rmdirSync(disk);
    rmSync(`${disk}.repository`, { recursive: true, force: true });
  });

  const filler = (): string => join(disk, 'filler');
  const fill = (): void => {
    const file = openSync(filler(), 'w');
    const piece = Buffer.alloc(1024 * 1024);
    try {
      for (let size = piece.length; size >= 4096; size /= 2)
        for (let written = size; written === size;) written = writeSync(file, piece, 0, size);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
    } finally {
      closeSync(file);
    }
  };
  const makeRoom = (): void => rmSync(filler(), { force: true });
  const task = () =>
    withBlueprint(
      repository,
      changing('sleep 0.2; od -An -v -tx1 -N 30000 /dev/urandom > new.txt', 'sleep 0.2'),
    );

  test('with room it works', async () => {
    const { run } = await world.run(task());
    expect(run.status).toMatchObject({ state: 'succeeded' });
  });

  test('a run that begins on a full disk is refused or ends with a code that says so', async () => {
    fill();
    try {
      const ended = world.run(task()).then(
        ({ run }) => run.status.code,
        (error: unknown) => (error as BerthError).code,
      );
      // What only waits for room says so.
      const before = said.length;
      const full = /^(GIT_DISK_FULL|DATABASE_DISK_FULL|SANDBOX_DISK_FULL)\b/;
      let code: string | null | undefined;
      void ended.then((end) => {
        code = end ?? '';
      });
      await expect
        .poll(() => code ?? said.slice(before).find((sentence) => full.test(sentence)), { interval: 50 })
        .toMatch(full);
    } finally {
      makeRoom();
    }
    const { run } = await world.run(task());
    expect(run.status).toMatchObject({ state: 'succeeded' });
  });

  test.each(['run.planned', 'command.started', 'checkpoint.saved', 'proposal.made'])(
    'a disk that fills up at %s is said and waited for; with room the run goes on',
    async (type) => {
      let room: Promise<void> = Promise.resolve();
      act = {
        type,
        act: () => {
          const before = said.length;
          fill();
          // Room comes when it was missed, and a moment later: however slow the machine is, something met the full disk.
          const isMissed = (): boolean =>
            said.slice(before).some((sentence) => /_DISK_FULL: /.test(sentence));
          room = vi
            .waitUntil(isMissed, { timeout: 45_000, interval: 50 })
            .then(() => wait(500))
            .finally(makeRoom);
          // Told at the end; until then the run goes on.
          room.catch(() => undefined);
        },
      };
      const result = await world.run(task());
      await room;
      const { run, events } = result;
      expect(events.map((event) => event.seq)).toEqual(events.map((_, place) => place + 1));
      expect(run.status).toMatchObject({ state: 'succeeded' });
      expect(dataOf(result, 'proposal.opened')).toHaveLength(1);
      expect(said.some((sentence) => /_DISK_FULL: /.test(sentence))).toBe(true);
    },
  );
});

function canMount(): boolean {
  if (process.getuid?.() !== 0) return false;
  try {
    execFileSync('unshare', ['--mount', 'mount', '-t', 'tmpfs', 'probe', '/mnt'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}
