import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { Sandbox } from '../../domain/ports/sandbox.ts';
import type { Terminal } from '../../domain/ports/terminal.ts';
import type { RunOwner } from '../../store/runs/find-owner.ts';
import { fakeSpec, UnisolatedFakeDriver } from '../../testing/fake-sandbox.ts';
import { memoryLog } from '../../testing/memory-log.ts';
import { testClock } from '../../testing/test-clock.ts';
import { OwnedRuns } from '../owned-runs.ts';
import { TerminalHost } from './host.ts';
import { createTerminals } from './terminals.ts';

const patience = { timeout: 120_000, interval: 30 };

let driver: UnisolatedFakeDriver;
let sandbox: Sandbox;
let log: ReturnType<typeof memoryLog>;
let owner: RunOwner | null;
let hasSandbox: boolean;
let epoch = 0;

beforeEach(async () => {
  driver = new UnisolatedFakeDriver();
  const spec = fakeSpec();
  sandbox = await driver.create(spec, AbortSignal.timeout(120_000));
  await sandbox.write('repo/README.md', Buffer.from('# here\n'));
  log = memoryLog();
  hasSandbox = true;
  owner = null;
});
afterEach(async () => driver.destroyAll());

/** Owns the run in a process of its own, until `letGo`. */
function own(options: { readonly idleMs?: number; readonly keepMs?: number } = {}) {
  epoch += 1;
  const owned = new OwnedRuns();
  const host = new TerminalHost({ owned, clock: testClock, ...options });
  const end = new AbortController();
  const worker = `w-${epoch}`;
  owner = { worker, epoch, address: null };
  const leave = owned.enter({
    runId: 'r-test',
    worker,
    epoch,
    log,
    signal: end.signal,
    sandbox: async () => (hasSandbox ? sandbox : null),
  });
  const terminals = createTerminals({
    owned,
    host,
    dial: null,
    clock: testClock,
    findOwner: async () => owner,
  });
  return {
    terminals,
    letGo: () => {
      leave();
      owner = null;
      end.abort(new Error('let go'));
    },
  };
}

function open({ terminals }: ReturnType<typeof own>, by = 'anna') {
  let screen = '';
  const notices: string[] = [];
  const terminal: Terminal = terminals.open(
    { runId: 'r-test', columns: 80, rows: 24, by },
    {
      output: async (data) => {
        screen += Buffer.from(data).toString();
      },
      notice: (text) => notices.push(text),
    },
  );
  return {
    terminal,
    notices,
    type: (text: string) => terminal.type(Buffer.from(text)),
    shows: (text: string | RegExp) => vi.waitFor(() => expect(screen).toMatch(text), patience),
  };
}

const types = (): string[] => log.entries.map((entry) => entry.type);
const closed = () => log.entries.find((entry) => entry.type === 'terminal.closed')?.data;

test('a shell opens where the repository is, has the size asked for, and ends with its code', async () => {
  const shell = open(own());
  shell.type('cat README.md; stty size; tty\r');
  await shell.shows('# here');
  await shell.shows('24 80');
  await shell.shows(/\/dev\/pts\/\d+/);
  shell.terminal.resize(132, 43);
  // The size travels beside what is typed: the shell looks until it has it.
  shell.type('until [ "$(stty size)" = "43 132" ]; do sleep 0.1; done; echo re""sized\r');
  await shell.shows('resized');
  shell.type('exit 7\r');
  expect(await shell.terminal.ended).toEqual({ kind: 'exit', exitCode: 7 });
  expect(types()).toEqual(expect.arrayContaining(['terminal.opened', 'terminal.typed', 'terminal.closed']));
  expect(closed()).toMatchObject({ by: 'anna', reason: 'exit', exitCode: 7 });
  expect(shell.terminal.traffic.bytesIn).toBeGreaterThan(40);
});

test('whoever leaves ends the shell and what it started', async () => {
  const shell = open(own());
  shell.type('sleep 98765 & echo "pid $!"\r');
  await shell.shows(/pid \d+/);
  shell.terminal.leave();
  expect((await shell.terminal.ended).kind).toBe('exit');
  await vi.waitFor(() => expect(closed()).toMatchObject({ reason: 'left' }), patience);
  await vi.waitFor(
    async () => expect((await sandbox.calls()).filter((one) => one.running)).toEqual([]),
    patience,
  );
});

test('nothing typed for a while ends it with a code', async () => {
  const shell = open(own({ idleMs: 300 }));
  expect(await shell.terminal.ended).toMatchObject({ kind: 'failed', code: 'TERMINAL_IDLE' });
  expect(closed()).toMatchObject({ reason: 'idle' });
});

test('a run has so many terminals and no more', async () => {
  const process = own();
  const shells = Array.from({ length: 4 }, () => open(process));
  for (const [at, shell] of shells.entries()) {
    shell.type(`echo "number ${at}$((1+1))"\r`);
    await shell.shows(`number ${at}2`);
  }
  expect(await open(process).terminal.ended).toMatchObject({ kind: 'failed', code: 'TERMINAL_LIMIT' });
  for (const shell of shells) shell.terminal.leave();
});

test('without a sandbox, or without an owner, there is none, and it says so', async () => {
  const process = own();
  hasSandbox = false;
  expect(await open(process).terminal.ended).toMatchObject({ code: 'TERMINAL_UNAVAILABLE' });
  owner = null;
  expect(await open(process).terminal.ended).toMatchObject({ code: 'TERMINAL_UNAVAILABLE' });
  expect(types()).toEqual([]);
});

test('a shell to which nobody comes back after its owner went is ended by the next', async () => {
  const first = own();
  const shell = open(first);
  shell.type('echo "up $((20+3))"\r');
  await shell.shows('up 23');
  first.letGo();
  own({ keepMs: 200 });
  await vi.waitFor(() => expect(closed()).toMatchObject({ reason: 'abandoned' }), patience);
  await vi.waitFor(
    async () => expect((await sandbox.calls()).filter((one) => one.running)).toEqual([]),
    patience,
  );
});

test('more typed than can be taken is refused, and what is held is bounded', () => {
  owner = null;
  const shell = open(own());
  let taken = 0;
  while (shell.type('x'.repeat(64 * 1024))) taken += 1;
  expect(taken).toBeLessThanOrEqual(4);
  shell.terminal.leave();
});
