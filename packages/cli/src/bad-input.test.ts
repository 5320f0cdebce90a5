import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { errorRegistry } from '@berth/server/domain/errors/index.ts';
import { maxTaskCharacters as serverLimit } from '@berth/server/domain/task.ts';
import { ownCodeTable } from './failure.ts';
import { maxTaskCharacters } from './task-text.ts';
import { World, type Finished } from './testing/spawn-berth.ts';

let world: World;
beforeAll(async () => {
  world = new World();
  await world.serve();
});
afterAll(async () => world.end());

function failed(result: Finished, code: string): void {
  expect(result.stderr).toMatch(new RegExp(`^error: .+\\n {2}code: ${code}\\n {2}next: .+\\n`));
  expect(result.stdout).toBe('');
  expect(result.code).toBe(errorRegistry[code as keyof typeof errorRegistry].exit);
}

test('an empty task, as argument, file or standard input', async () => {
  writeFileSync(join(world.directory, 'empty.md'), ' \n\t\n');
  failed(await world.run(['run', '  ']), 'TASK_EMPTY');
  failed(await world.run(['run', '-f', join(world.directory, 'empty.md')]), 'TASK_EMPTY');
  failed(await world.run(['run', '-']), 'TASK_EMPTY');
});

test('a task that is too long, also one that never ends being read', async () => {
  const file = join(world.directory, 'long.md');
  writeFileSync(file, 'x'.repeat(maxTaskCharacters + 1));
  failed(await world.run(['run', '-f', file]), 'TASK_TOO_LONG');
  failed(await world.run(['run', '-f', '/dev/zero']), 'TASK_TOO_LONG');
  failed(await world.run(['run', '-'], { stdin: 'ä'.repeat(300_000) }), 'TASK_TOO_LONG');
});

test('no task at all names the ways to give one', async () => {
  const result = await world.run(['run']);
  failed(result, 'USAGE');
  expect(result.stderr).toContain('berth run -f');
});

test('text and file together', async () => {
  failed(await world.run(['run', 'x', '-f', 'y']), 'USAGE');
});

test('a file that is missing, a directory, or no text', async () => {
  failed(await world.run(['run', '-f', 'missing.md']), 'FILE_UNREADABLE');
  failed(await world.run(['run', '-f', world.directory]), 'FILE_UNREADABLE');
  writeFileSync(join(world.directory, 'latin1.md'), Buffer.from([0x66, 0xfc, 0x72]));
  failed(await world.run(['run', '-f', join(world.directory, 'latin1.md')]), 'FILE_UNREADABLE');
  failed(await world.run(['run', 'x', '--blueprint', 'missing.yaml']), 'FILE_UNREADABLE');
});

test('a file without permission', async () => {
  const file = join(world.directory, 'secret.md');
  writeFileSync(file, 'x');
  chmodSync(file, 0);
  // Root may read all, unless it gives up the capabilities for that.
  const through =
    process.getuid?.() === 0 ? ['setpriv', '--bounding-set=-dac_override,-dac_read_search'] : [];
  failed(await world.run(['run', '-f', file], { through }), 'FILE_UNREADABLE');
});

test('limits that make no sense; the known ones are named', async () => {
  for (const limit of [
    'speed=9',
    'cost',
    'cost=',
    'cost=free',
    'cost=-1',
    'rounds=3',
    'tokens=1.5',
    'time=soon',
    'cost=0',
  ]) {
    const result = await world.run(['run', 'x', '--limit', limit]);
    failed(result, 'LIMIT_INVALID');
    expect(result.stderr).toContain('cost (dollars), tokens, steps, minutes');
  }
});

test('a directory that is no repository, given or stood in', async () => {
  const outside = join(world.directory, 'outside');
  mkdirSync(outside);
  const stood = await world.run(['run', 'x'], { cwd: outside });
  failed(stood, 'REPO_NOT_FOUND');
  expect(stood.stderr).toContain('--repo');
  failed(await world.run(['run', 'x', '--repo', outside]), 'REPO_NOT_FOUND');
  failed(await world.run(['run', 'x', '--repo', join(outside, 'gone')]), 'REPO_NOT_FOUND');
});

test('an unknown base is refused by the server, in its words', async () => {
  const result = await world.run(['run', 'x', '--base', 'nowhere']);
  expect(result.code).toBe(2);
  expect(result.stderr).toContain('There is no branch, tag or commit "nowhere"');
  expect(result.stderr).toContain('request: req_');
});

test('an unknown command or flag names the one that was meant', async () => {
  for (const [args, meant] of [
    [['rnu', 'x'], '`run`'],
    [['logz'], '`logs`'],
    [['run', 'x', '--limt', 'cost=1'], '`--limit`'],
    [['runs', 'lost'], '`list`'],
    [['proposals', 'mrge'], '`merge`'],
    [['help', 'exit-code'], '`exit-codes`'],
  ] as const) {
    const result = await world.run([...args]);
    failed(result, 'USAGE');
    expect(result.stderr).toContain(meant);
  }
});

test('a task of several words without quotes says that quotes are missing', async () => {
  const result = await world.run(['run', 'fix', 'the', 'test']);
  failed(result, 'USAGE');
  expect(result.stderr).toContain('quotes');
});

test('with --json a failure is one document on stderr, and stdout stays empty', async () => {
  const result = await world.run(['show', 'r-none', '--json']);
  expect(result.stdout).toBe('');
  expect(JSON.parse(result.stderr)).toEqual({
    schema: 'berth.error/v1',
    error: {
      code: 'NOT_FOUND',
      message: 'There is no run r-none.',
      next: 'List what there is with `berth runs`.',
      retryable: false,
      requestId: expect.stringMatching(/^req_/) as unknown,
      details: {},
    },
  });
});

test('nothing is asked without a terminal: the flag is named', async () => {
  const { stdout } = await world.run(['run', 'fix it', '-q']);
  expect(stdout).toMatch(/^r-\w+\n$/);
  const result = await world.run(['proposals', 'merge']);
  failed(result, 'USAGE');
  expect(result.stderr).toContain('--yes');
  expect((await world.run(['proposals', 'merge', '--yes'])).code).toBe(0);
});

test('the codes of the command are rows of the one registry, with the same exit codes', () => {
  expect(maxTaskCharacters).toBe(serverLimit);
  for (const [code, { exit }] of Object.entries(ownCodeTable)) {
    expect(errorRegistry[code as keyof typeof errorRegistry]?.exit).toBe(exit);
  }
});

test('what is missing points to the help of that command; other refusals say what would be right', async () => {
  for (const [args, next] of [
    [['projects', 'add', 'web'], '`berth projects add --help`'],
    [['audit', '--result', 'zz'], '`berth audit --help`'],
    [['projects', 'add', 'web', 'relative/path'], 'write the whole path'],
    [['usage', '--by', 'project,week'], 'Known: day, project, principal, model.'],
    [['context', 'use', 'nowhere'], '`berth context list`'],
    [['help', 'tokens', 'crate'], '`create`'],
  ] as const) {
    const result = await world.run([...args]);
    expect(result.stderr).toContain(next);
    expect(result.stdout).toBe('');
    expect(result.code).toBe(args[0] === 'context' ? 8 : 2);
  }
});

test('hints name the command as the launcher says it was called', async () => {
  const { stderr } = await world.run(['fork', '--at', 'x'], { env: { BERTH_CALLED_AS: './berth' } });
  expect(stderr).toContain('`./berth logs -a`');
});
