import { spawn } from 'node:child_process';
import { mkdirSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { CommandContext } from '../command-context.ts';
import { Interrupt } from '../interrupt.ts';
import { homeOf, type Session } from '../session.ts';

/** Between two looks whether a run is still active. */
const lookMs = 1_000;

/** `berth host` (hidden): carries runs until none is active; what `--detach` leaves behind. */
export async function host(context: CommandContext): Promise<number> {
  using interrupt = new Interrupt(null);
  const carry = async (session: Session): Promise<number> => {
    // Another server runs already: it carries the runs.
    if (!session.isHost) return 0;
    while (!interrupt.signal.aborted) {
      const active = await Promise.all(
        (['queued', 'running'] as const).map(async (state) => session.client.listRuns({ state, limit: 1 })),
      );
      if (active.every(({ runs }) => runs.length === 0)) return 0;
      await sleep(lookMs, undefined, { signal: interrupt.signal }).catch(() => undefined);
    }
    return interrupt.exitCode;
  };
  return await context.withSession(['api', 'worker'], carry, { isLocal: true });
}

/** Starts `berth host` apart from this terminal; it says what it does in `<home>/run/host.log`. */
export async function leaveToHost({ io }: CommandContext): Promise<void> {
  const directory = join(homeOf(io.env), 'run');
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const log = openSync(join(directory, 'host.log'), 'a', 0o600);
  const script = process.argv[1];
  if (script === undefined) return;
  const child = spawn(process.execPath, [...process.execArgv, script, 'host'], {
    detached: true,
    stdio: ['ignore', log, log],
    env: io.env,
    cwd: '/',
  });
  child.unref();
}
