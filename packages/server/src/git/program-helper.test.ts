import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { beforeEach, describe, expect, test, vi } from 'vitest';
import { runAside } from './program-helper.ts';
import type { ProgramEnd, ProgramRun } from './run-program.ts';

const never = new AbortController().signal;

function shell(script: string, rest: Partial<ProgramRun> = {}): ProgramRun {
  return {
    program: '/bin/sh',
    argv: ['-c', script],
    cwd: '/',
    env: { PATH: '/usr/bin:/bin' },
    input: '',
    inputFile: null,
    outputFile: null,
    maxOutputBytes: 1024 * 1024,
    timeoutMs: 20_000,
    ...rest,
  };
}

const text = (end: ProgramEnd): string => Buffer.from(end.stdout).toString().trim();
const parent = async (): Promise<number> => Number(text(await runAside(shell('echo $PPID'), never)));

describe('a program run aside', () => {
  beforeEach(async () => {
    // The first ones run here, until the helper is up.
    while ((await parent()) === process.pid);
  });

  test('has its input, environment and directory, and its output and exit code come back', async () => {
    const script = 'cat; pwd; env | sort | grep -c .; echo trouble >&2; exit 3';
    const end = await runAside(
      shell(script, { input: 'typed\n', cwd: '/usr', env: { A: '1', PATH: '/bin' } }),
      never,
    );
    expect(end).toMatchObject({ exitCode: 3, stderr: 'trouble\n', timedOut: false, isTooLarge: false });
    expect(text(end)).toBe('typed\n/usr\n3');
  });

  test('can print and read bytes of every kind', async () => {
    const bytes = Buffer.from(Array.from({ length: 300_000 }, (_, index) => index % 256));
    const end = await runAside(shell('cat', { input: bytes }), never);
    expect(Buffer.compare(Buffer.from(end.stdout), bytes)).toBe(0);
  });

  test('ends with its whole group when its time is over, or it prints too much', async () => {
    expect(await runAside(shell('sleep 7401 | cat', { timeoutMs: 100 }), never)).toMatchObject({
      timedOut: true,
    });
    const flood = await runAside(shell('yes', { maxOutputBytes: 1_000 }), never);
    expect(flood).toMatchObject({ isTooLarge: true });
  });

  test('ends when it is no longer wanted', async () => {
    const control = new AbortController();
    const end = runAside(shell('sleep 7402 | cat'), control.signal);
    control.abort();
    expect(await end).toMatchObject({ exitCode: null, timedOut: false });
  });

  test('a missing program is told as missing', async () => {
    expect(await runAside({ ...shell(''), program: 'no-such-program' }, never)).toMatchObject({
      isMissing: true,
    });
  });

  test('of the variables of this process the helper has PATH alone', async () => {
    const environment = readFileSync(`/proc/${await parent()}/environ`, 'latin1');
    const names = environment.split('\0').map((line) => line.split('=')[0]);
    expect(names.filter((name) => name !== '' && !name?.startsWith('NODE_CHANNEL_'))).toEqual(['PATH']);
  });

  test('ends as lost when the helper is killed; the next one runs again', async () => {
    const helper = await parent();
    const lost = runAside(shell('sleep 1; echo over'), never);
    process.kill(helper, 'SIGKILL');
    expect(await lost).toMatchObject({ exitCode: null, trouble: expect.stringContaining('ended') as string });
    expect(text(await runAside(shell('echo again'), never))).toBe('again');
  });
});

test('a process that ran programs aside ends by itself, and its helper with it', async () => {
  const module = new URL('./program-helper.ts', import.meta.url).href;
  const script = `
    const { runAside } = await import(${JSON.stringify(module)});
    const ask = async () => Buffer.from((await runAside(${JSON.stringify(shell('echo $PPID'))}, new AbortController().signal)).stdout).toString().trim();
    let helper = await ask();
    while (helper === String(process.pid)) helper = await ask();
    console.log(helper);`;
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', script]);
  const helper = Number(stdout);
  expect(helper).toBeGreaterThan(1);
  await vi.waitFor(() => expect(() => process.kill(helper, 0)).toThrow('ESRCH'), { timeout: 120_000 });
});
