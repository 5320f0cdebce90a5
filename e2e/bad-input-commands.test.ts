import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { bubblewrapMissing } from './support/parts.ts';
import { checking, dataOf, openWorld, withBlueprint, type RunResult, type World } from './support/world.ts';

const mib = 1024 * 1024;

interface Ended {
  readonly result: {
    readonly exitCode: number | null;
    readonly timedOut: boolean;
    readonly outOfMemory: boolean;
    readonly outputTruncated?: boolean;
    readonly lost: string | null;
  };
  readonly outputBytes: number;
  readonly tail: string;
}

/**
 * Commands that misbehave: each is ended, the run ends with a code that is true, and after each of them the same
 * server carries the next run.
 */
describe.skipIf(bubblewrapMissing !== null)(`bad input: commands (${bubblewrapMissing ?? 'bwrap'})`, () => {
  let world: World;
  let repository: string;
  beforeAll(async () => {
    world = await openWorld({
      sandboxLimits: { processes: 64, memoryBytes: 256 * mib, diskBytes: 64 * mib, fileBytes: 512 * mib },
    });
    repository = world.repository('commands');
  });
  afterAll(() => world.remove());

  /** Seconds that a command gets which is to run into its limit. */
  const seconds = 3;
  const look = async (script: string, limitSeconds = 120): Promise<RunResult & { last: Ended }> => {
    const result = await world.run(withBlueprint(repository, checking(script, limitSeconds / 60)));
    const last = dataOf<Ended & { purpose: string }>(result, 'command.ended').at(-1)!;
    const next = await world.run(withBlueprint(repository, checking('test -f README.md')));
    expect(next.run.status).toMatchObject({ state: 'succeeded' });
    return { ...result, last };
  };
  const timedOut = ({ run, last }: RunResult & { last: Ended }): void => {
    expect(run.status).toMatchObject({ code: 'CHECK_TIMED_OUT' });
    expect(run.status.state).not.toBe('succeeded');
    expect(last.result).toMatchObject({ timedOut: true, lost: null });
  };

  test('one that never ends is stopped at its limit, and its children with it', async () => {
    timedOut(await look('trap "" TERM INT HUP; sleep 1000 & setsid sleep 1000 & wait; sleep 1000', seconds));
  });

  test('one that turns in a loop of its own is stopped at its limit', async () => {
    timedOut(await look('while :; do :; done', seconds));
  });

  test('one that asks for input gets none, and does not wait for it', async () => {
    const asked = await look('printf "Go on? [y/N] "; read answer && test "$answer" = y');
    expect(asked.run.status).toMatchObject({ code: 'CHECKS_FAILED' });
    expect(asked.last.result.exitCode).toBe(1);
    expect(asked.last.tail).toContain('Go on? [y/N]');
  });

  test('one that insists on a terminal is stopped or fails, and never hangs', async () => {
    const asked = await look('read answer < /dev/tty', seconds);
    expect(['CHECKS_FAILED', 'CHECK_TIMED_OUT']).toContain(asked.run.status.code);
  });

  test('one that opens a pager prints through it', async () => {
    const script = 'git --paginate log; git config --get core.pager; "${PAGER:-less}" README.md; exit 3';
    const paged = await look(script);
    expect(paged.run.status).toMatchObject({ code: 'CHECKS_FAILED' });
    expect(paged.last.result).toMatchObject({ exitCode: 3, timedOut: false });
    expect(paged.last.tail).toContain('# commands');
  });

  test('one that starts a true pager or editor on what it has is stopped or ends', async () => {
    const script = '(less README.md || more README.md) </dev/zero; git commit --amend; exit 3';
    const paged = await look(script, seconds);
    expect(['CHECKS_FAILED', 'CHECK_TIMED_OUT']).toContain(paged.run.status.code);
  });

  test('one that forks without end ends with a code, and the machine has its processes back', async () => {
    const forked = await look('bomb() { bomb | bomb & }; bomb; while :; do sleep 0.1; done', seconds);
    expect(forked.run.status.state).not.toBe('succeeded');
    expect(['CHECKS_FAILED', 'CHECK_TIMED_OUT']).toContain(forked.run.status.code);
  });

  test('one that fills the disk meets a full disk, and nothing else does', async () => {
    const filled = await look('head -c 300000000 /dev/zero > "$HOME/fill"; echo "wrote: $?"; exit 4');
    expect(filled.run.status).toMatchObject({ state: 'needs_human', code: 'SANDBOX_DISK_FULL' });
    expect(filled.last.result.exitCode).toBe(4);
    expect(filled.last.tail).toContain('No space left on device');
  });

  test('one that fills the disk with files of no size ends, too', async () => {
    const script = 'mkdir -p "$HOME/n"; i=0; while : > "$HOME/n/$i"; do i=$((i + 1)); done; exit 4';
    const filled = await look(script, 20);
    expect(filled.run.status.code).toMatch(/^(CHECKS_FAILED|CHECK_TIMED_OUT|SANDBOX_DISK_FULL)$/);
  });

  test('one that fills the working copy ends with a code, and the last checkpoint is kept', async () => {
    const filled = await look('head -c 300000000 /dev/urandom > fill.bin; exit 4');
    expect(filled.run.status.state).not.toBe('succeeded');
    expect(filled.run.status).toMatchObject({ code: 'SANDBOX_DISK_FULL' });
  });

  test('one that eats memory is ended by the limit, and that is said', async () => {
    const script = `exec node -e 'const a = []; for (;;) a.push(Buffer.alloc(16 * 1024 * 1024, 1))'`;
    const eaten = await look(script);
    expect(eaten.run.status).toMatchObject({ code: 'CHECKS_FAILED' });
    expect(eaten.last.result).toMatchObject({ outOfMemory: true });
    expect(eaten.run.status.reason).toContain('memory');
  });

  test('one whose many children eat memory ends with a code', async () => {
    const child = `node -e 'const a = []; setInterval(() => a.push(Buffer.alloc(8 * 1024 * 1024, 1)), 20)'`;
    const eaten = await look(`${child} & ${child} & ${child} & wait $! || exit 7`);
    expect(eaten.run.status).toMatchObject({ code: 'CHECKS_FAILED' });
    expect(eaten.last.result).toMatchObject({ exitCode: 7, timedOut: false });
  });

  test('one that prints 1 GB is read to its end, and its end is kept', async () => {
    const before = process.memoryUsage().rss;
    const printed = await look('head -c 1000000000 /dev/zero | tr "\\0" x; echo; echo the end; exit 5');
    expect(printed.run.status).toMatchObject({ code: 'CHECKS_FAILED' });
    expect(printed.last.result.exitCode).toBe(5);
    expect(printed.last.tail).toContain('the end');
    expect(process.memoryUsage().rss - before).toBeLessThan(400 * mib);
  });

  test('one that prints what is no text is told harmlessly', async () => {
    const printed = await look(
      String.raw`printf '\033]0;owned\007\033[2J\000\377\376'; head -c 5000 /dev/urandom; exit 5`,
    );
    expect(printed.run.status).toMatchObject({ code: 'CHECKS_FAILED' });
    expect(printed.last.result.exitCode).toBe(5);
  });

  test('one that does not exist, and one that is no shell script', async () => {
    const missing = await look('no-such-program --now');
    expect(missing.run.status).toMatchObject({ code: 'CHECKS_FAILED' });
    expect(missing.last.result.exitCode).toBe(127);
    expect((await look('if (')).run.status).toMatchObject({ code: 'CHECKS_FAILED' });
  });

  test('one that kills everything it can reach takes nothing but its own sandbox', async () => {
    const killed = await look('kill -9 -1; sleep 1; exit 6', 20);
    expect(killed.run.status.state).not.toBe('succeeded');
    expect(killed.run.status.code).not.toBeNull();
  });

  test('a setup that never ends is a setup that failed', async () => {
    const blueprint = `version: 1\nsetup:\n  - run: sleep 1000\n    timeoutMinutes: 0.03\nsteps: [setup]\n`;
    const { run } = await world.run(withBlueprint(repository, blueprint));
    expect(run.status).toMatchObject({ state: 'failed', code: 'SETUP_FAILED' });
    expect(run.status.reason).toContain('did not end within');
  });
});
