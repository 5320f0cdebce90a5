import { createHash, randomBytes } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import type { Sandbox } from '../domain/ports/sandbox.ts';
import { execRequest, runToEnd } from './exec-helper.ts';

async function readAll(chunks: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  for await (const part of chunks) parts.push(part);
  return Buffer.concat(parts);
}

/** The file operations of the sandbox contract. */
export function fileContract(sandboxOf: () => Sandbox): void {
  describe('files', () => {
    const oddNames = [
      'with space',
      'quo"te\'s',
      'new\nline',
      '-rf',
      '$(id)',
      'ü-ñ-漢字',
      '..dots',
      ' ',
      '\\back',
      '*?[x]',
    ];

    test('of odd names are written, listed, read, and removed', async () => {
      const sandbox = sandboxOf();
      for (const name of oddNames) await sandbox.write(`odd/${name}`, Buffer.from(`<${name}>`));
      const listed = await sandbox.list('odd');
      expect(listed.map((entry) => entry.name).toSorted()).toEqual(oddNames.toSorted());
      for (const name of oddNames) {
        expect(Buffer.from(await sandbox.read(`/workspace/odd/${name}`)).toString()).toBe(`<${name}>`);
        await sandbox.remove(`odd/${name}`);
      }
      expect(await sandbox.list('odd')).toEqual([]);
    });

    test('are read in parts', async () => {
      const sandbox = sandboxOf();
      await sandbox.write('parts', Buffer.from('0123456789'));
      const part = async (offset: number, length?: number): Promise<string> =>
        Buffer.from(
          await sandbox.read('parts', { offset, ...(length === undefined ? {} : { length }) }),
        ).toString();
      expect([
        await part(2, 3),
        await part(8, 10),
        await part(10, 5),
        await part(4),
        await part(0, 0),
      ]).toEqual(['234', '89', '', '456789', '']);
    });

    test('of 20 MiB stream in and out unchanged', async () => {
      const sandbox = sandboxOf();
      const piece = randomBytes(1024 * 1024);
      const source = async function* (): AsyncGenerator<Uint8Array> {
        for (let index = 0; index < 20; index += 1) yield piece;
        await Promise.resolve();
      };
      await sandbox.write('large/file.bin', source(), { mode: 0o640 });
      expect(await sandbox.stat('large/file.bin')).toMatchObject({
        kind: 'file',
        bytes: 20_971_520,
        mode: 0o640,
      });
      const digest = createHash('sha256');
      for (let index = 0; index < 20; index += 1) digest.update(piece);
      const back = await readAll(sandbox.readStream('large/file.bin'));
      expect(createHash('sha256').update(back).digest('hex')).toBe(digest.digest('hex'));
    });

    test('that a broken source leaves half-written keep their old content, and no temporary file stays', async () => {
      const sandbox = sandboxOf();
      await sandbox.write('kept/file', Buffer.from('old'));
      const broken = async function* (): AsyncGenerator<Uint8Array> {
        yield Buffer.from('new');
        await Promise.reject(new Error('the source broke'));
      };
      await expect(sandbox.write('kept/file', broken())).rejects.toThrow('the source broke');
      expect(Buffer.from(await sandbox.read('kept/file')).toString()).toBe('old');
      await expect
        .poll(async () => (await sandbox.list('kept')).map((entry) => entry.name))
        .toEqual(['file']);
    });

    test('keep their mode when they are replaced', async () => {
      const sandbox = sandboxOf();
      await sandbox.write('tool', Buffer.from('#!/bin/sh\necho one\n'), { mode: 0o755 });
      await sandbox.write('tool', Buffer.from('#!/bin/sh\necho two\n'));
      expect((await runToEnd(sandbox, execRequest(['./tool']))).stdout.toString()).toBe('two\n');
    });

    test('that are symbolic links are told as such, and writing through one keeps it', async () => {
      const sandbox = sandboxOf();
      await runToEnd(sandbox, execRequest('mkdir links; echo old >links/target; ln -s target links/name'));
      expect(await sandbox.stat('links/name')).toMatchObject({ kind: 'symlink' });
      await sandbox.write('links/name', Buffer.from('new\n'));
      const ran = await runToEnd(sandbox, execRequest('readlink links/name; cat links/target'));
      expect(ran.stdout.toString()).toBe('target\nnew\n');
    });

    test('that do not exist, are directories or never end have their codes', async () => {
      const sandbox = sandboxOf();
      await runToEnd(sandbox, execRequest('mkdir -p a-directory; mkfifo a-pipe'));
      expect(await sandbox.stat('nothing/here')).toBeNull();
      await expect(sandbox.read('nothing')).rejects.toMatchObject({ code: 'FILE_NOT_FOUND' });
      await expect(sandbox.list('nothing')).rejects.toMatchObject({ code: 'FILE_NOT_FOUND' });
      await expect(sandbox.read('a-directory')).rejects.toMatchObject({ code: 'FILE_REFUSED' });
      await expect(sandbox.read('a-pipe')).rejects.toMatchObject({ code: 'FILE_REFUSED' });
      await expect(sandbox.write('a-directory', Buffer.from('x'))).rejects.toMatchObject({
        code: 'FILE_REFUSED',
      });
      await expect(sandbox.remove('nothing')).resolves.toBeUndefined();
    });

    test('of a directory with 5,000 entries are all listed', async () => {
      const sandbox = sandboxOf();
      await runToEnd(sandbox, execRequest('mkdir many; cd many; seq 1 5000 | xargs touch'));
      expect(await sandbox.list('many')).toHaveLength(5000);
    });
  });
}
