import { chmodSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { rgPath } from '@vscode/ripgrep';
import { expect, test } from 'vitest';
import type { EventData } from '../domain/events/index.ts';
import { Killed } from '../testing/agent-harness.ts';
import type { AgentHarness } from '../testing/agent-harness.ts';
import { harnesses } from '../testing/open-harness.ts';
import { ScriptedModel, calls, finishes, inTurn } from '../testing/scripted-model.ts';

const harness = harnesses();

/** Runs the calls one after the other in one sandbox and gives their results. */
async function results(
  run: AgentHarness,
  list: readonly (readonly [string, unknown])[],
): Promise<readonly EventData<'tool.ended'>[]> {
  const model = new ScriptedModel(inTurn([...list.map((call) => calls(call)), finishes]));
  await run.live({ model });
  return run.events('tool.ended').map((event) => event.data);
}

const numbered = Array.from({ length: 1200 }, (_, place) => `line ${place + 1}`).join('\n');

test('read numbers lines, goes on from an offset, cuts long lines and says where a file ends', async () => {
  const run = harness({
    files: { 'n.txt': numbered, 'long.txt': `${'x'.repeat(100_000)}\nshort\n`, 'empty.txt': '' },
  });
  const [first, further, long, empty, past] = await results(run, [
    ['read', { path: 'n.txt', limit: 2 }],
    ['read', { path: '/workspace/repo/n.txt', offset: 1199 }],
    ['read', { path: 'long.txt' }],
    ['read', { path: 'empty.txt' }],
    ['read', { path: 'n.txt', offset: 5000 }],
  ]);
  expect(first!.text).toBe('     1\tline 1\n     2\tline 2\n[more follows: read on with offset 3]');
  expect(further!.text).toBe('  1199\tline 1199\n  1200\tline 1200');
  expect(long!.text).toMatch(/^ {5}1\tx{500}… \(line cut, 100000 characters\)\n {5}2\tshort$/);
  expect(empty!.text).toContain('is empty');
  expect(past).toMatchObject({ isError: true, text: 'n.txt ends at line 1200.' });
});

test('read refuses what is no text with a sentence that says what to do', async () => {
  const run = harness({
    files: {
      'a.bin': new Uint8Array([1, 0, 2]),
      'p.png': 'x',
      'd/e': '',
      'l.txt': Buffer.from([0x41, 0xff, 0x0a]),
    },
  });
  const [binary, image, directory, missing, lossy, edit] = await results(run, [
    ['read', { path: 'a.bin' }],
    ['read', { path: 'p.png' }],
    ['read', { path: 'd' }],
    ['read', { path: 'nope' }],
    ['read', { path: 'l.txt' }],
    ['edit', { path: 'l.txt', old: 'A', new: 'B' }],
  ]);
  expect(binary).toMatchObject({ isError: true, text: expect.stringContaining('binary') });
  expect(image).toMatchObject({ isError: true, text: expect.stringContaining('image') });
  expect(directory).toMatchObject({ isError: true, text: expect.stringContaining('Use list') });
  expect(missing).toMatchObject({ isError: true, text: expect.stringContaining('There is no file') });
  expect(lossy).toMatchObject({ isError: false, text: expect.stringContaining('not UTF-8') });
  expect(edit).toMatchObject({ isError: true, text: expect.stringContaining('not UTF-8') });
});

test('write and edit keep the mode, refuse links, and return the diff', async () => {
  const run = harness({ files: { 'run.sh': 'echo a\n', 'b.txt': 'b\r\nc' } });
  const [, , edit, crlf, link, created] = await results(run, [
    ['bash', { command: 'chmod 755 run.sh; ln -s run.sh link.sh' }],
    ['list', { path: '.' }],
    ['edit', { path: 'run.sh', old: 'echo a', new: 'echo b' }],
    ['edit', { path: 'b.txt', old: 'b', new: 'x\ny' }],
    ['write', { path: 'link.sh', content: 'no\n' }],
    ['write', { path: 'new/deep/file.txt', content: 'hello\n' }],
  ]);
  expect(edit!.text).toBe('--- run.sh\n+++ run.sh\n@@ -1,1 +1,1 @@\n-echo a\n+echo b');
  expect(statSync(join(run.repository, 'run.sh')).mode & 0o777).toBe(0o755);
  expect(crlf!.isError).toBe(false);
  expect(run.file('b.txt')).toBe('x\r\ny\r\nc');
  expect(link).toMatchObject({ isError: true, text: expect.stringContaining('symbolic link') });
  expect(created!.summary).toBe('write new/deep/file.txt +1 -0');
  expect(run.events('tool.ended')[1]!.data.text).toContain('link.sh (symbolic link)');
});

test('a file changed behind an interrupted edit is left alone and the model is told', async () => {
  const run = harness({ files: { 'a.txt': 'one\n' } });
  const model = new ScriptedModel(
    inTurn([calls(['edit', { path: 'a.txt', old: 'one', new: 'two' }]), finishes]),
  );
  let planned = 0;
  run.onEvent = (event) => {
    if (event.type === 'tool.planned') planned = event.seq;
  };
  const until = 7;
  await expect(run.live({ model }, { kill: { seq: until, stored: false } })).rejects.toThrow(Killed);
  expect(planned).toBe(until - 1);
  writeFileSync(join(run.repository, 'a.txt'), 'three\n');
  await run.live({ model });
  expect(run.events('tool.ended')[0]!.data).toMatchObject({ interrupted: true, isError: true });
  expect(readFileSync(join(run.repository, 'a.txt'), 'utf8')).toBe('three\n');
});

test.each([
  ['ripgrep', { tools: dirname(rgPath) }],
  ['grep, where there is no ripgrep', {}],
])('search finds, limits and reports with %s', async (_, options) => {
  const run = harness({
    ...options,
    files: { 'src/a.ts': 'const parse = 1;\n', 'src/b.md': 'parse\n', 'c.ts': "it's $HOME\n" },
  });
  const [found, globbed, literal, none, names] = await results(run, [
    ['search', { pattern: 'pars.' }],
    ['search', { pattern: 'parse', glob: '*.ts' }],
    ['search', { pattern: "it's $HOME", literal: true }],
    ['search', { pattern: 'nowhere' }],
    ['search', { pattern: 'PARSE', ignore_case: true, files_only: true, path: 'src' }],
  ]);
  expect(found!.text.trim().split('\n').sort()).toEqual([
    './src/a.ts:1:const parse = 1;',
    './src/b.md:1:parse',
  ]);
  expect(globbed!.text.trim()).toBe('./src/a.ts:1:const parse = 1;');
  expect(literal!.text.trim()).toBe("./c.ts:1:it's $HOME");
  expect(none!.text).toBe('No matches.');
  expect(names!.text.trim().split('\n').sort()).toEqual(['src/a.ts', 'src/b.md']);
});

test('a path that leaves the sandbox, and a directory that cannot be read, are errors for the model alone', async () => {
  const run = harness({ files: { 'a.txt': '' } });
  run.onEvent = (event) => {
    if (event.type !== 'sandbox.created') return;
    symlinkSync('/etc', join(run.repository, 'out'));
    chmodSync(join(run.repository, 'a.txt'), 0o000);
  };
  const ended = await results(run, [
    ['read', { path: '../../../../etc/shadow-none' }],
    ['list', { path: 'none' }],
  ]);
  expect(ended.slice(0, 2).every((end) => end.isError)).toBe(true);
});
