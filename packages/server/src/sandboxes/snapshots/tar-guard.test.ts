import { execFileSync } from 'node:child_process';
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { guardTar, type TarCount, type TarLimits } from './tar-guard.ts';

interface Entry {
  readonly name: string;
  readonly type?: string;
  readonly mode?: number;
  readonly target?: string;
  readonly contents?: string;
}

const octal = (value: number, length: number): string => `${value.toString(8).padStart(length - 1, '0')}\0`;

function headerOf({ name, type = '0', mode = 0o644, target = '', contents = '' }: Entry): Buffer {
  const header = Buffer.alloc(512);
  header.write(name, 0, 100, 'latin1');
  header.write(octal(mode, 8), 100);
  header.write(octal(0, 8), 108);
  header.write(octal(0, 8), 116);
  header.write(octal(contents.length, 12), 124);
  header.write(octal(0, 12), 136);
  header.write('        ', 148);
  header.write(type, 156);
  header.write(target, 157, 100, 'latin1');
  header.write('ustar  \0', 257, 'latin1');
  header.write(
    `${header
      .reduce((sum, byte) => sum + byte, 0)
      .toString(8)
      .padStart(6, '0')}\0 `,
    148,
  );
  return header;
}

const entry = (one: Entry): Buffer => {
  const contents = Buffer.from(one.contents ?? '');
  return Buffer.concat([headerOf(one), contents, Buffer.alloc((512 - (contents.length % 512)) % 512)]);
};
const archive = (...entries: Entry[]): Buffer => Buffer.concat([...entries.map(entry), Buffer.alloc(10_240)]);

const limits: TarLimits = { maxBytes: 1_000_000, maxFiles: 1_000 };

async function passed(
  bytes: Buffer,
  pieces = 700,
  over: Partial<TarLimits> = {},
): Promise<TarCount & { out: Buffer }> {
  const count: TarCount = { files: 0, bytes: 0 };
  const source = async function* (): AsyncGenerator<Uint8Array> {
    for (let at = 0; at < bytes.length; at += pieces) yield bytes.subarray(at, at + pieces);
  };
  const out: Uint8Array[] = [];
  for await (const chunk of guardTar(source(), { ...limits, ...over }, count)) out.push(chunk);
  return { ...count, out: Buffer.concat(out) };
}

const code = (bytes: Buffer, over?: Partial<TarLimits>): Promise<unknown> =>
  passed(bytes, 700, over).then(
    () => 'passed',
    (error: unknown) => (error as { code?: string }).code ?? error,
  );

test('plain files, folders, links and hard links of both places pass unchanged, in pieces of any size', async () => {
  const bytes = archive(
    { name: 'workspace/repo/node_modules/', type: '5', mode: 0o755 },
    { name: 'workspace/repo/node_modules/a.js', contents: 'x'.repeat(1_000) },
    { name: 'workspace/repo/node_modules/b.js', type: '1', target: 'workspace/repo/node_modules/a.js' },
    { name: 'home/.bin/tool', type: '2', target: '../../anything' },
  );
  for (const pieces of [1, 511, 512, 513, 65_536]) {
    const { files, out } = await passed(bytes, pieces);
    expect(files).toBe(4);
    expect(out.equals(bytes)).toBe(true);
  }
});

test.for<[string, Entry[]]>([
  ['an absolute path', [{ name: '/etc/passwd' }]],
  ['a path that leads up', [{ name: 'home/../../etc/passwd' }]],
  ['a path elsewhere', [{ name: 'tmp/x' }]],
  ['the place itself', [{ name: 'home', type: '2', target: '/etc' }]],
  ['the place itself as a folder', [{ name: 'workspace/./', type: '5' }]],
  ['git’s own folder', [{ name: 'workspace/repo/.git/hooks/pre-commit' }]],
  ['git’s own folder, spelt otherwise', [{ name: 'workspace//repo/./.git/config' }]],
  ['setuid', [{ name: 'home/x', mode: 0o4755 }]],
  ['setgid', [{ name: 'home/x', mode: 0o2755 }]],
  ['a character device', [{ name: 'home/x', type: '3' }]],
  ['a block device', [{ name: 'home/x', type: '4' }]],
  ['a pipe', [{ name: 'home/x', type: '6' }]],
  ['pax headers', [{ name: 'home/x', type: 'x', contents: '30 path=/etc/passwd\n' }]],
  ['global pax headers', [{ name: 'home/x', type: 'g' }]],
  ['sparse files', [{ name: 'home/x', type: 'S' }]],
  ['a path through a link', [{ name: 'home/x', type: '2', target: '/etc' }, { name: 'home/x/passwd' }]],
  ['a file over a link', [{ name: 'home/x', type: '2', target: '/etc/passwd' }, { name: 'home/x' }]],
  ['a hard link elsewhere', [{ name: 'home/x', type: '1', target: '/etc/passwd' }]],
  ['a hard link that leads up', [{ name: 'home/x', type: '1', target: 'home/../etc/passwd' }]],
  [
    'a hard link through a link',
    [
      { name: 'home/x', type: '2', target: '/etc' },
      { name: 'home/y', type: '1', target: 'home/x/passwd' },
    ],
  ],
  [
    'a file over a hard link to a link',
    [
      { name: 'home/x', type: '2', target: '/etc/passwd' },
      { name: 'home/y', type: '1', target: 'home/x' },
      { name: 'home/y' },
    ],
  ],
  [
    'a long name that leads out',
    [{ name: '././@LongLink', type: 'L', contents: '/etc/passwd\0' }, { name: 'home/x' }],
  ],
  [
    'a long target that leads out',
    [
      { name: '././@LongLink', type: 'K', contents: '/etc/passwd\0' },
      { name: 'home/x', type: '1', target: 'home/y' },
    ],
  ],
])('%s is refused', async ([, entries]) => {
  expect(await code(archive(...entries))).toBe('SNAPSHOT_REFUSED');
});

test('damaged, cut and continued archives are refused', async () => {
  const good = archive({ name: 'home/x', contents: 'abc' });
  expect(await code(good)).toBe('passed');
  const damaged = Buffer.from(good);
  damaged[3] = 0x41;
  expect(await code(damaged)).toBe('SNAPSHOT_REFUSED');
  expect(await code(good.subarray(0, 700))).toBe('SNAPSHOT_REFUSED');
  expect(await code(good.subarray(0, 1_024))).toBe('SNAPSHOT_REFUSED');
  expect(await code(Buffer.concat([good, entry({ name: '/etc/passwd' })]))).toBe('SNAPSHOT_REFUSED');
});

test('more bytes or files than accepted end it', async () => {
  const good = archive({ name: 'home/x' }, { name: 'home/y' });
  expect(await code(good, { maxFiles: 1 })).toBe('SNAPSHOT_TOO_LARGE');
  expect(await code(good, { maxBytes: good.length - 1 })).toBe('SNAPSHOT_TOO_LARGE');
});

test('whatever the bytes are, what passes lists no path outside of the two places', async () => {
  const kind = fc.constantFrom('0', '1', '2', '5', 'L', 'K', 'x', '7');
  const path = fc
    .array(fc.constantFrom('home', 'workspace', 'repo', '.git', '..', '.', 'a', 'b', ''), { maxLength: 5 })
    .map((words) => words.join('/'));
  const anyEntry = fc
    .record({ name: path, type: kind, target: path })
    .map((one): Entry =>
      one.type === 'L' || one.type === 'K' ? { ...one, contents: `${one.target}\0` } : one,
    );
  await fc.assert(
    fc.asyncProperty(fc.array(anyEntry, { maxLength: 6 }), async (entries) => {
      const bytes = archive(...entries);
      if ((await code(bytes)) !== 'passed') return;
      const names = execFileSync('tar', ['-tPf', '-'], { input: bytes, encoding: 'utf8' });
      for (const name of names.split('\n').filter((line) => line !== '')) {
        expect(name).toMatch(/^(\.?\/*)*(workspace|home)\//);
        expect(name.split('/')).not.toContain('..');
        expect(name.startsWith('/')).toBe(false);
      }
    }),
    { numRuns: 150 },
  );
});
