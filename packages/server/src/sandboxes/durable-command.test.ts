import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Command } from '../domain/blueprint.ts';
import type { DurableCommand } from '../domain/ports/run-context.ts';
import type { Sandbox } from '../domain/ports/sandbox.ts';
import { MemoryBlobs } from '../testing/agent-harness.ts';
import { fakeSpec, UnisolatedFakeDriver } from '../testing/fake-sandbox.ts';
import { memoryLog } from '../testing/memory-log.ts';
import { type DurableCommandParts, runDurably } from './durable-command.ts';

const driver = new UnisolatedFakeDriver();
let first: Sandbox;
let second: Sandbox;

beforeAll(async () => {
  first = await driver.create(fakeSpec({ id: 'durable-1' }), AbortSignal.timeout(120_000));
  second = await driver.create(fakeSpec({ id: 'durable-2' }), AbortSignal.timeout(120_000));
});
afterAll(async () => {
  await first.destroy();
  await second.destroy();
});

const command = (id: string, run: string): DurableCommand => {
  const spec: Command = { run, cwd: '.', env: {}, timeoutMinutes: 1, egress: [] };
  return { id, step: '0:check', purpose: 'other', name: id, command: spec };
};

function parts(
  log: ReturnType<typeof memoryLog>,
  sandbox: Sandbox,
  signal = new AbortController().signal,
): DurableCommandParts {
  return {
    events: log,
    log,
    blobs: new MemoryBlobs(),
    signal,
    repositoryPath: '/workspace',
    sandbox: () => Promise.resolve(sandbox),
    done: () => undefined,
  };
}

test('a command whose end is in the log is not sent again', async () => {
  const log = memoryLog();
  const once = command('a/once', 'echo ran >> counted-a; wc -l < counted-a');
  const one = await runDurably(once, parts(log, first));
  const other = await runDurably(once, parts(memoryLog(log.entries), first));
  expect(one.tail.trim()).toBe('1');
  expect(other).toEqual(one);
  expect(Buffer.from(await first.read('counted-a')).toString()).toBe('ran\n');
});

test('a worker that dies in the middle leaves a command to which the next one attaches', async () => {
  const log = memoryLog();
  const dying = new AbortController();
  const slow = command(
    'b/slow',
    'echo ran >> counted-b; echo before; while [ ! -e go-b ]; do sleep 0.02; done; echo after',
  );
  const dead = runDurably(slow, parts(log, first, dying.signal));
  await expect.poll(() => first.stat('counted-b')).not.toBeNull();
  dying.abort(new Error('killed'));
  await expect(dead).rejects.toThrow('killed');
  const next = runDurably(slow, parts(memoryLog(log.entries), first));
  await first.write('go-b', Buffer.from(''));
  const outcome = await next;
  expect(outcome.result.exitCode).toBe(0);
  expect(outcome.tail).toBe('before\nafter\n');
  expect(Buffer.from(await first.read('counted-b')).toString()).toBe('ran\n');
});

test('a command that was lost with its sandbox runs in the next one, under an id of its own', async () => {
  const log = memoryLog();
  const dying = new AbortController();
  const lost = command('c/lost', 'if [ -e second ]; then echo here; else touch begun-c; sleep 30; fi');
  const dead = runDurably(lost, parts(log, first, dying.signal));
  await expect.poll(() => first.stat('begun-c')).not.toBeNull();
  dying.abort(new Error('killed'));
  await expect(dead).rejects.toThrow('killed');
  await second.write('second', Buffer.from(''));
  const next = memoryLog(log.entries);
  const outcome = await runDurably(lost, parts(next, second));
  expect(outcome.tail).toBe('here\n');
  expect(next.state().commands['c/lost']?.end?.result.lost).toBe('sandbox');
  expect(next.state().commands['c/lost~2']?.sandboxId).toBe(second.ref.id);
});

test('arguments reach the script as they are', async () => {
  const odd = { ...command('d/args', 'printf "%s|" "$@"'), args: ['a b', `'"$(touch pwned)`, '-n'] };
  const outcome = await runDurably(odd, parts(memoryLog(), first));
  expect(outcome.tail).toBe(`a b|'"$(touch pwned)|-n|`);
  expect(await first.stat('pwned')).toBeNull();
});

test('a command that asks for input gets none and ends', async () => {
  const outcome = await runDurably(
    command('e/input', 'read answer || echo "no answer"'),
    parts(memoryLog(), first),
  );
  expect(outcome.tail).toBe('no answer\n');
});

test('the way out is closed again however a command ends, and also when there is no sandbox for it', async () => {
  let open = false;
  const closing = (more: Partial<DurableCommandParts>): DurableCommandParts => ({
    ...parts(memoryLog(), first),
    sandbox: () => {
      open = true;
      return Promise.resolve(first);
    },
    done: () => {
      open = false;
    },
    ...more,
  });
  await runDurably(command('f/runs', 'true'), closing({}));
  expect(open).toBe(false);
  const none = closing({
    sandbox: () => {
      open = true;
      return Promise.reject(new Error('none can be made'));
    },
  });
  await expect(runDurably(command('f/none', 'true'), none)).rejects.toThrow('none can be made');
  expect(open).toBe(false);
  const append = (): Promise<never> => Promise.reject(new Error('not recorded'));
  const unrecorded = closing({ events: { append, live: () => undefined } });
  await expect(runDurably(command('f/unrecorded', 'true'), unrecorded)).rejects.toThrow('not recorded');
  expect(open).toBe(false);
});
