import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, utimesSync } from 'node:fs';
import { createConnection } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chunksOf, Mux, parseJson, protocolVersion } from '@berth/protocol';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { sandboxdBundle } from './bundle.ts';
import { runnerArgv, runnerEnvironment, sandboxdArgv } from './launch.ts';

let directory: string;
const children: ChildProcess[] = [];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'berth-processes-'));
  mkdirSync(join(directory, 'workspace'));
});

afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  rmSync(directory, { recursive: true, force: true });
});

function start(argv: string[], env: Record<string, string>): ChildProcess {
  const child = spawn(argv[0]!, argv.slice(1), { env, stdio: ['ignore', 'pipe', 'ignore'] });
  children.push(child);
  return child;
}

/** A zombie that nobody has reaped yet is not alive. */
function isAlive(pid: number): boolean {
  try {
    return !/^\d+ \(.*\) [ZX]/s.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
}

const exitOf = (child: ChildProcess): Promise<number | null> =>
  new Promise((resolve) => child.once('exit', (code) => resolve(code)));

async function startSandboxd(): Promise<ChildProcess> {
  const { sandboxd } = await sandboxdBundle();
  const child = start(
    sandboxdArgv({
      node: process.execPath,
      bundle: sandboxd,
      sandboxId: 's',
      workerSocket: join(directory, 'worker.sock'),
      runnerSocket: join(directory, 'runner.sock'),
      spoolDirectory: join(directory, 'spool'),
    }),
    {},
  );
  await new Promise((resolve) => child.stdout!.once('data', resolve));
  return child;
}

async function startRunner(): Promise<ChildProcess> {
  const { runner } = await sandboxdBundle();
  return start(
    runnerArgv({
      node: process.execPath,
      bundle: runner,
      sandboxId: `s${process.pid}`,
      socket: join(directory, 'runner.sock'),
      workspace: join(directory, 'workspace'),
    }),
    runnerEnvironment({
      PATH: process.env['PATH']!,
      TMPDIR: directory,
      NODE_OPTIONS: '--require /nowhere.js',
    }),
  );
}

function worker(): Mux {
  return new Mux(createConnection(join(directory, 'worker.sock')), {
    side: 'odd',
    hello: { role: 'worker', protocol: protocolVersion, sandbox: 's', epoch: 1 },
    onHello: () => {},
    onOpen: () => {},
  });
}

async function output(mux: Mux, id: string, script: string): Promise<string> {
  const spec = {
    script,
    cwd: '/workspace',
    env: {},
    stdin: 'none',
    timeoutMs: 60_000,
    maxOutputBytes: 1e6,
    overflow: 'truncate',
  };
  const body = Buffer.from(JSON.stringify(spec));
  const stream = mux.open({
    m: 'exec',
    id,
    hash: 'h'.repeat(64),
    offset: 0,
    requestBytes: body.length,
    stdinBytes: 0,
  });
  stream.end(body);
  let text = '';
  for await (const chunk of chunksOf(stream)) text += chunk.toString('latin1');
  return text;
}

test('sandboxd and the runner end with 143 on SIGTERM', async () => {
  const sandboxd = await startSandboxd();
  const runner = await startRunner();
  const mux = worker();
  expect(await output(mux, 'c', 'echo up')).toContain('up');
  const runnerExit = exitOf(runner);
  runner.kill('SIGTERM');
  expect(await runnerExit).toBe(143);
  const sandboxdExit = exitOf(sandboxd);
  sandboxd.kill('SIGTERM');
  expect(await sandboxdExit).toBe(143);
});

test('told to shut down, sandboxd ends with 0 and the runner follows it with all commands', async () => {
  const sandboxd = await startSandboxd();
  const runner = await startRunner();
  const mux = worker();
  const background = await output(mux, 'c', 'sleep 100 & echo "pid=$!;"');
  const pid = Number(/pid=(\d+);/.exec(background)![1]);
  const exits = Promise.all([exitOf(sandboxd), exitOf(runner)]);
  mux.open({ m: 'shutdown' }).end();
  expect(await exits).toEqual([0, 75]);
  expect(isAlive(pid)).toBe(false);
});

test('the kernel would end commands before the runner', async () => {
  await startSandboxd();
  await startRunner();
  // The runner takes its own score back right after the fork, which the command may be faster than.
  const script =
    'until [ "$(cat /proc/$PPID/oom_score_adj)" = 0 ]; do :; done; echo "own=$(cat /proc/self/oom_score_adj);"';
  expect(await output(worker(), 'c', script)).toContain('own=1000;');
});

test('one killed runner after another is replaced by the next generation', async () => {
  await startSandboxd();
  await startRunner();
  const mux = worker();
  const events = mux.open({ m: 'events' });
  events.end();
  const notices: string[] = [];
  events.on('data', (chunk: Buffer) => notices.push(...chunk.toString().trim().split('\n')));
  for (const id of ['a', 'b']) expect(await output(mux, id, 'kill -9 $PPID; sleep 5')).toContain('"lost"');
  expect(await output(mux, 'c', 'echo up')).toContain('up');
  expect(notices.map((line) => parseJson(Buffer.from(line), (value) => value, 'notice'))).toEqual([
    { t: 'runner-up', generation: 1 },
    { t: 'runner-lost', generation: 1 },
    { t: 'runner-up', generation: 2 },
    { t: 'runner-lost', generation: 2 },
    { t: 'runner-up', generation: 3 },
  ]);
});

test('each program is one file that needs only the modules of Node', async () => {
  const bundle = await sandboxdBundle();
  for (const file of Object.values(bundle)) {
    const source = readFileSync(file, 'utf8');
    const imported = [
      ...source.matchAll(/^import .* from "([^"]+)"|import\("([^"]+)"\)|require\("([^"]+)"\)/gm),
    ];
    expect(imported.length).toBeGreaterThan(3);
    for (const [, ...names] of imported) expect(names.find(Boolean)).toMatch(/^node:/);
  }
});

test('bundles are built when a source is newer, and only then', async () => {
  const { runner } = await sandboxdBundle();
  const builtMs = (): number => statSync(runner).mtimeMs;
  const before = builtMs();
  await sandboxdBundle();
  expect(builtMs()).toBe(before);
  utimesSync(runner, 1, 1);
  await sandboxdBundle();
  expect(builtMs()).toBeGreaterThan(1000);
});
