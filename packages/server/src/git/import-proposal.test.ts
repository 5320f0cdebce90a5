import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { deflateSync } from 'node:zlib';
import * as fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { BerthError } from '../domain/errors/index.ts';
import { commitAll, gitIn, makeRepository, TestPlace, writeFiles } from '../testing/git-fixtures.ts';
import { diff, diffStat } from './diff.ts';
import { importProposal } from './import-proposal.ts';
import type { ImportProposal, Proposal } from './import-proposal.ts';
import { openProject } from './mirror.ts';
import type { Mirror } from './mirror.ts';
import { blockingFinding } from './proposal-policy.ts';

const { signal } = new AbortController();
let place: TestPlace;
let source: string;
let mirror: Mirror;
let base: string;

beforeEach(async () => {
  place = new TestPlace();
  source = makeRepository(place.path('source'), {
    'a.txt': 'one\n',
    'd/b.txt': 'two\n',
    'odd\nname': 'odd\n',
  });
  base = gitIn(source, ['rev-parse', 'HEAD']);
  mirror = await openProject({ home: place.path('home'), repository: source, signal });
});
afterEach(() => place.cleanUp());

/** A pack with everything reachable from `tree` that the base does not hold. */
function packOf(tree: string, exclude = `^${base}^{tree}\n`): Buffer {
  return execFileSync('git', ['pack-objects', '--revs', '--stdout', '-q'], {
    cwd: source,
    input: `${tree}\n${exclude}`,
    maxBuffer: 1024 * 1024 * 1024,
    stdio: ['pipe', 'pipe', 'ignore'],
  });
}

const treeNow = () => {
  gitIn(source, ['add', '-A', '-f']);
  return gitIn(source, ['write-tree']);
};

/** A tree object made by hand, whatever git thinks of it. */
function rawTree(entries: ReadonlyArray<readonly [mode: string, name: string, id: string]>): string {
  const body = Buffer.concat(
    entries.map(([mode, name, id]) =>
      Buffer.concat([Buffer.from(`${mode} ${name}\0`), Buffer.from(id, 'hex')]),
    ),
  );
  return gitIn(source, ['hash-object', '-t', 'tree', '-w', '--stdin', '--literally'], body);
}

const blob = (text: string | Uint8Array) => gitIn(source, ['hash-object', '-w', '--stdin'], text);

async function bring(tree: string, pack: Uint8Array, more: Partial<ImportProposal> = {}): Promise<Proposal> {
  return importProposal(mirror, {
    base,
    tree,
    pack,
    taskId: 't-1',
    runId: 'r-1',
    title: 'Fix it',
    body: 'Because.',
    atMs: 1_700_000_123_456,
    protectedPaths: [],
    signal,
    ...more,
  });
}

async function refusal(work: Promise<unknown>): Promise<string> {
  const error = await work.then(
    () => null,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(BerthError);
  return (error as BerthError).code;
}

const left = () =>
  existsSync(join(mirror.directory, 'berth-quarantine'))
    ? readdirSync(join(mirror.directory, 'berth-quarantine'))
    : [];

describe('a good change', () => {
  test('becomes Berth’s own commit on the base, and the same one when repeated', async () => {
    writeFiles(source, { 'a.txt': 'changed\n', 'new/file.txt': 'x\ny\n', 'odd\nname': 'odd, changed\n' });
    const tree = treeNow();
    const proposal = await bring(tree, packOf(tree));
    expect(proposal).toMatchObject({ tree, base, findings: [], stat: { files: 3, added: 4, removed: 2 } });
    expect(
      gitIn(mirror.directory, ['log', '-1', '--format=%T %P %an <%ae> %at %cn %ct', proposal.commit]),
    ).toBe(`${tree} ${base} Berth <berth@berth.invalid> 1700000123 Berth 1700000123`);
    expect(gitIn(mirror.directory, ['log', '-1', '--format=%B', proposal.commit]).trim()).toBe(
      'Fix it\n\nBecause.\n\nBerth-Task: t-1\nBerth-Run: r-1',
    );
    expect((await bring(tree, packOf(tree))).commit).toBe(proposal.commit);
    expect(left()).toEqual([]);
    const text = await diff(mirror, base, proposal.commit, { signal });
    expect(text.text).toContain('+changed');
    expect((await diff(mirror, base, proposal.commit, { signal, maxBytes: 60 })).truncated).toBe(true);
    expect((await diffStat(mirror, base, proposal.commit, signal)).perFile.map((file) => file.path)).toEqual([
      'a.txt',
      'new/file.txt',
      'odd\\x0aname',
    ]);
  });

  test('brings only its own objects into the mirror', async () => {
    writeFiles(source, { 'a.txt': 'changed\n' });
    const tree = treeNow();
    const smuggled = blob('smuggled');
    const pack = execFileSync('git', ['pack-objects', '--stdout', '-q'], {
      cwd: source,
      input: [tree, gitIn(source, ['rev-parse', `${tree}:a.txt`]), smuggled, ''].join('\n'),
    });
    await bring(tree, pack);
    expect(() => gitIn(mirror.directory, ['cat-file', '-e', smuggled])).toThrow('Command failed');
  });

  test('an empty one, one without its objects, one that names another tree', async () => {
    const same = gitIn(source, ['rev-parse', `${base}^{tree}`]);
    expect(await refusal(bring(same, packOf(same)))).toBe('PROPOSAL_EMPTY');
    writeFiles(source, { 'a.txt': 'changed\n' });
    const tree = treeNow();
    expect(await refusal(bring(tree, packOf(same)))).toBe('PROPOSAL_INVALID');
    expect(await refusal(bring('0'.repeat(40), packOf(tree)))).toBe('PROPOSAL_INVALID');
    expect(await refusal(bring(blob('x'), packOf(tree)))).toBe('PROPOSAL_INVALID');
    expect(await refusal(bring(tree, packOf(tree), { base: '1'.repeat(40) }))).toBe('PROPOSAL_INVALID');
    expect(await refusal(bring('--help', packOf(tree)))).toBe('PROPOSAL_INVALID');
    const partial = execFileSync('git', ['pack-objects', '--stdout', '-q'], {
      cwd: source,
      input: `${tree}\n`,
    });
    expect(await refusal(bring(tree, partial))).toBe('PROPOSAL_INVALID');
    expect(left()).toEqual([]);
  });
});

describe('hostile packs', () => {
  test('any bytes at all end with a code', async () => {
    writeFiles(source, { 'a.txt': 'changed\n' });
    const tree = treeNow();
    const good = packOf(tree);
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 64 }), fc.nat(good.length - 1), async (noise, at) => {
        const bad = Buffer.from(good);
        Buffer.from(noise).copy(bad, at);
        if (bad.equals(good)) return;
        expect(await refusal(bring(tree, bad))).toMatch(/^PROPOSAL_(INVALID|TOO_LARGE)$/);
      }),
      { numRuns: 12 },
    );
    expect(await refusal(bring(tree, Buffer.alloc(0)))).toBe('PROPOSAL_INVALID');
    expect(await refusal(bring(tree, good.subarray(0, good.length - 5)))).toBe('PROPOSAL_INVALID');
  });

  test.each(['.git', '.GIT', '.git ', 'git~1', '.g\u200cit', '..', '.'])(
    'a tree with the name %j is refused',
    async (name) => {
      const evil = blob('#!/bin/sh\ntouch /tmp/owned\n');
      const inner = rawTree([['100755', 'post-checkout', evil]]);
      const tree = rawTree([['40000', name, rawTree([['40000', 'hooks', inner]])]]);
      expect(await refusal(bring(tree, packOf(tree, '')))).toMatch(/^PROPOSAL_(INVALID|PATH_REFUSED)$/);
      expect(left()).toEqual([]);
    },
  );

  test('duplicate names, slashes in names, unsorted trees and wrong modes are refused', async () => {
    const x = blob('x');
    for (const entries of [
      [
        ['100644', 'a', x],
        ['100644', 'a', x],
      ],
      [['100644', 'a/b', x]],
      [
        ['100644', 'b', x],
        ['100644', 'a', x],
      ],
      [['100664', 'a', x]],
      [['40000', 'a', x]],
    ] as ReadonlyArray<ReadonlyArray<readonly [string, string, string]>>) {
      const tree = rawTree(entries);
      const pack = execFileSync('git', ['pack-objects', '--stdout', '-q'], {
        cwd: source,
        input: `${tree}\n${x}\n`,
      });
      expect(await refusal(bring(tree, pack))).toMatch(/^PROPOSAL_(INVALID|PATH_REFUSED)$/);
    }
  });

  test('a blob that unpacks to more than is accepted', async () => {
    // One blob of 3 GB of zeros, as a pack made by hand: about 3 MB.
    const size = 3 * 1024 * 1024 * 1024;
    const piece = deflateSync(Buffer.alloc(16 * 1024 * 1024), { level: 9 });
    expect(piece.length).toBeLessThan(20_000);
    const header: number[] = [];
    let rest = size;
    header.push((3 << 4) | (rest & 15));
    rest = Math.floor(rest / 16);
    while (rest > 0) {
      header[header.length - 1]! |= 0x80;
      header.push(rest & 127);
      rest = Math.floor(rest / 128);
    }
    const start = Buffer.from('PACK\0\0\0\x02\0\0\0\x01', 'latin1');
    const body = Buffer.concat([start, Buffer.from(header), piece]);
    const pack = Buffer.concat([body, createHash('sha1').update(body).digest()]);
    expect(await refusal(bring('2'.repeat(40), pack))).toBe('PROPOSAL_INVALID');

    writeFileSync(join(source, 'zeros'), Buffer.alloc(40 * 1024 * 1024));
    const tree = treeNow();
    const small = packOf(tree);
    expect(small.length).toBeLessThan(100_000);
    expect(await refusal(bring(tree, small))).toBe('PROPOSAL_TOO_LARGE');
    expect(await refusal(bring(tree, small, { limits: { packBytes: 1_000 } }))).toBe('PROPOSAL_TOO_LARGE');
    expect(await refusal(bring(tree, small, { limits: { objects: 1 } }))).toBe('PROPOSAL_TOO_LARGE');
  });

  test('too many files', async () => {
    writeFiles(source, Object.fromEntries(Array.from({ length: 30 }, (_, at) => [`many/${at}`, `${at}`])));
    const tree = treeNow();
    expect(await refusal(bring(tree, packOf(tree), { limits: { files: 20 } }))).toBe('PROPOSAL_TOO_LARGE');
  });

  test('links out of the repository, moved submodules and new names with control characters', async () => {
    const change = (mode: string, name: string, id: string) =>
      gitIn(
        source,
        ['mktree', '-z', '--missing'],
        `${gitIn(source, ['ls-tree', '-z', base])}${mode} ${mode === '160000' ? 'commit' : 'blob'} ${id}\t${name}\0`,
      );
    for (const target of ['/etc/passwd', '../outside', 'd/../../outside', '.git/config']) {
      const tree = change('120000', 'link', blob(target));
      expect(await refusal(bring(tree, packOf(tree)))).toBe('PROPOSAL_SYMLINK_REFUSED');
    }
    const inside = change('120000', 'link', blob('d/b.txt'));
    expect((await bring(inside, packOf(inside))).stat.files).toBe(1);
    const module = change('160000', 'module', '3'.repeat(40));
    expect(await refusal(bring(module, packOf(module)))).toBe('PROPOSAL_SUBMODULE_REFUSED');
    const control = change('100644', 'new\nline', blob('x'));
    expect(await refusal(bring(control, packOf(control)))).toBe('PROPOSAL_PATH_REFUSED');
  });
});

describe('policy', () => {
  const tokens = ['ghp_' + 'a1B2c3D4e5F6'.repeat(3), ['AKIA', 'QWERTYUPASDFGHJ2'].join('')];

  test('protected paths and secrets come back as findings that forbid the push', async () => {
    writeFiles(source, {
      '.berth/blueprint.yaml': 'version: 1\n',
      '.github/workflows/ci.yml': 'on: push\n',
      'db/migrations/1.sql': 'x',
      'src/ok.ts': 'ok',
      'conf.ts': `\nconst t = '${tokens[0]}';\n`,
      'known.txt': `x ${Buffer.from('hunter2-very-secret').toString('base64')}`,
    });
    const tree = treeNow();
    const { findings } = await bring(tree, packOf(tree), {
      protectedPaths: ['db/**'],
      knownSecrets: ['hunter2-very-secret'],
    });
    const seen = findings.map((finding) => `${finding.kind} ${finding.severity} ${finding.path}`).sort();
    expect(seen).toEqual([
      'protected-path person .github/workflows/ci.yml',
      'protected-path refuse .berth/blueprint.yaml',
      'protected-path refuse db/migrations/1.sql',
      'secret refuse conf.ts',
      'secret refuse known.txt',
    ]);
    expect(blockingFinding(findings)?.code).toBe('PROPOSAL_SECRET_FOUND');
    expect(JSON.stringify(findings) + blockingFinding(findings)?.message).not.toContain(tokens[0]);
    expect(blockingFinding(findings.filter((finding) => finding.kind !== 'secret'))?.code).toBe(
      'PROPOSAL_PROTECTED_PATH',
    );
    expect(blockingFinding(findings.filter((finding) => finding.severity === 'person'))).toBeNull();
  });

  test('a secret that the base already has is not held against the change', async () => {
    writeFiles(source, { 'conf.ts': `${tokens[1]}\n` });
    base = commitAll(source, 'secret in the base');
    mirror = await openProject({ home: place.path('home'), repository: source, signal });
    writeFiles(source, { 'conf.ts': `${tokens[1]}\nmore\n` });
    const tree = treeNow();
    expect((await bring(tree, packOf(tree))).findings).toEqual([]);
  });

  test('removing a protected file is a finding too', async () => {
    writeFiles(source, { CODEOWNERS: '* @me' });
    base = commitAll(source, 'owners');
    mirror = await openProject({ home: place.path('home'), repository: source, signal });
    gitIn(source, ['rm', '-q', 'CODEOWNERS']);
    const tree = treeNow();
    expect((await bring(tree, packOf(tree))).findings).toMatchObject([
      { kind: 'protected-path', severity: 'person', path: 'CODEOWNERS' },
    ]);
  });
});
