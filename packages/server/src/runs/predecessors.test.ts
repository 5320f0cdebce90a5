import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { identify } from '../store/embedded/process-identity.ts';
import { claimRun } from '../store/runs/claim-run.ts';
import { testDatabase } from '../testing/database.ts';
import { makeOwnedRun, makeWorker } from '../testing/owned-run.ts';
import { endDeadWorkers, noteWorker } from './predecessors.ts';

const store = testDatabase();
let home = '';
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'berth-notes-'));
});
afterEach(() => rmSync(home, { recursive: true, force: true }));

const notes = (): string[] => readdirSync(join(home, 'workers'));
const noteOf = (worker: string): string => join(home, 'workers', `${worker}.json`);

/** A run of a worker that left a note, with what is changed in it, and whether another worker can have it. */
async function afterwards(change: Record<string, unknown> | string): Promise<boolean> {
  const worker = await makeWorker(store.db);
  const { runId } = await makeOwnedRun(store.db, worker);
  await noteWorker(home, worker);
  const note = JSON.parse(readFileSync(noteOf(worker), 'utf8')) as Record<string, unknown>;
  writeFileSync(noteOf(worker), typeof change === 'string' ? change : JSON.stringify({ ...note, ...change }));
  await endDeadWorkers(store.db, home);
  return (await claimRun(store.db, runId, await makeWorker(store.db))) !== null;
}

test('a worker that lives keeps its runs and its note', async () => {
  expect(await afterwards({})).toBe(false);
  expect(notes()).toHaveLength(1);
});

test('the runs of a worker whose process is gone can be had at once, before its lease ends', async () => {
  const child = spawn('sleep', ['60']);
  const { pid = 0 } = child;
  const { started } = (await identify(pid)) ?? { started: '' };
  const gone = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGKILL');
  await gone;
  expect(await afterwards({ pid, started })).toBe(true);
  expect(notes()).toEqual([]);
});

test('a process that came later and has the same number is not mistaken for the worker', async () => {
  expect(await afterwards({ started: 'another time' })).toBe(true);
});

test('notes of other machines, and what is no note, decide nothing', async () => {
  expect(await afterwards({ host: 'elsewhere', started: 'another time' })).toBe(false);
  expect(await afterwards('{ "worker": ')).toBe(false);
  expect(await afterwards('[]')).toBe(false);
  expect(notes()).toHaveLength(3);
});

test('a worker that ends in good order takes its note along; without notes nothing happens', async () => {
  const remove = await noteWorker(home, 'w-1');
  await remove();
  await remove();
  expect(notes()).toEqual([]);
  rmSync(join(home, 'workers'), { recursive: true });
  await endDeadWorkers(store.db, home);
});
