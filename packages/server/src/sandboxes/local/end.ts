import { setTimeout as sleep } from 'node:timers/promises';
import { readdirSync, readFileSync } from 'node:fs';
import { processesIn, removeCgroups } from './cgroups.ts';
import { releaseUid } from './identity.ts';
import type { Place, PlaceRecord } from './place.ts';
import { isAlive, signalProcess } from './processes.ts';

/**
 * For sandboxd to end by itself; 30 ms are usual. One that does not answer has already cost a cancelled run the second for
 * saving its work, and both together have to stay well below the two seconds it is promised.
 */
const politeMs = 400;
const sweepMs = 5_000;

/**
 * Ends everything of a sandbox and removes what it left on this machine, from whatever state it is in. Idempotent;
 * works from the directory alone, so also for a sandbox of a worker that is dead.
 * @param also what a driver has to end besides processes. When it fails, the directory and the uid stay, so that the
 *   next attempt finds them; everything else is ended all the same
 */
export async function endSandbox(
  place: Place,
  also: (record: PlaceRecord) => Promise<void> = () => Promise.resolve(),
): Promise<void> {
  const record = place.read();
  if (record !== null) {
    const { sandboxd, uid, cgroups } = record;
    // Everything inside goes with it (die-with-parent); given the time, it also reaps what it started.
    if (sandboxd !== null && signalProcess(sandboxd, 'SIGTERM')) {
      await until(() => !isAlive(sandboxd), politeMs);
      signalProcess(sandboxd, 'SIGKILL');
      await until(() => !isAlive(sandboxd), sweepMs);
    }
    const failure = await also(record).then(
      () => null,
      (error: unknown) => ({ error }),
    );
    // Each round kills what it sees; something that forks faster is caught by the limit on processes.
    const left = (): number[] => [
      ...new Set([...processesIn(cgroups), ...(uid === null ? [] : processesOf(uid))]),
    ];
    await until(() => {
      const pids = left();
      for (const pid of pids) {
        try {
          process.kill(pid, 'SIGKILL');
        } catch {
          // Gone meanwhile.
        }
      }
      return pids.length === 0;
    }, sweepMs);
    await until(() => removeCgroups(cgroups), sweepMs);
    if (failure !== null) throw failure.error;
  }
  await place.remove();
  if (record !== null && record.uid !== null) releaseUid(record.uid);
}

/** Processes of a sandbox's own uid: nobody else has it. */
function processesOf(uid: number): number[] {
  const mine: number[] = [];
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const status = readFileSync(`/proc/${name}/status`, 'latin1');
      const [, real] = /^Uid:\s+(\d+)/m.exec(status) ?? [];
      if (Number(real) === uid && !/^State:\s+[ZX]/m.test(status)) mine.push(Number(name));
    } catch {
      // Gone meanwhile.
    }
  }
  return mine;
}

async function until(done: () => boolean, ms: number): Promise<boolean> {
  const deadline = performance.now() + ms;
  while (!done()) {
    if (performance.now() > deadline) return false;
    await sleep(10);
  }
  return true;
}
