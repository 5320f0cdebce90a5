import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { resolveSecret, secretReferenceSchema } from './resolve-secret.ts';

let directory = '';
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'berth-secret-'));
});
afterAll(() => rm(directory, { recursive: true, force: true }));

test('a secret comes from a variable or from a file without its last newline', async () => {
  expect(await resolveSecret({ env: 'TOKEN' }, { TOKEN: 'abc' })).toBe('abc');
  await writeFile(join(directory, 'token'), 'abc\ndef\n');
  expect(await resolveSecret({ file: join(directory, 'token') })).toBe('abc\ndef');
});

test('what is missing, empty, huge or no file is named', async () => {
  await writeFile(join(directory, 'empty'), '\n');
  await writeFile(join(directory, 'huge'), 'x'.repeat(70_000));
  const references = [
    { env: 'NOT_SET' },
    { file: join(directory, 'none') },
    { file: join(directory, 'empty') },
    { file: join(directory, 'huge') },
    { file: directory },
    { file: '/dev/zero' },
  ];
  for (const reference of references) {
    await expect(resolveSecret(reference, {})).rejects.toMatchObject({ code: 'SECRET_MISSING' });
  }
});

test('only references are accepted, with absolute paths', () => {
  expect(secretReferenceSchema.safeParse({ file: 'token' }).success).toBe(false);
  expect(secretReferenceSchema.safeParse({ value: 'abc' }).success).toBe(false);
  expect(secretReferenceSchema.safeParse({ env: 'A B' }).success).toBe(false);
});
