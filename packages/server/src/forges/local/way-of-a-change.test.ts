import { execFileSync } from 'node:child_process';
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Clock } from '../../domain/ports/clock.ts';
import type { Sandbox } from '../../domain/ports/sandbox.ts';
import { resolveBase } from '../../git/base-ref.ts';
import type { Base } from '../../git/base-ref.ts';
import { saveCheckpoint } from '../../git/checkpoint.ts';
import { deliverRepository } from '../../git/deliver-repository.ts';
import { importProposal } from '../../git/import-proposal.ts';
import { openProject } from '../../git/mirror.ts';
import type { Mirror } from '../../git/mirror.ts';
import { push } from '../../git/push.ts';
import { packFor } from '../../git/shallow-pack.ts';
import type { DeliveryPack } from '../../git/shallow-pack.ts';
import { fakeSpec, UnisolatedFakeDriver } from '../../testing/fake-sandbox.ts';
import { commitAll, gitIn, makeRepository, TestPlace, writeFiles } from '../../testing/git-fixtures.ts';
import { LocalForge } from './local-forge.ts';

const { signal } = new AbortController();
const clock: Clock = { nowMs: () => 1_700_000_000_000, monotonicMs: () => 0, sleep: () => Promise.resolve() };
const driver = new UnisolatedFakeDriver();
const branch = 'berth/fix-1';
let place: TestPlace;
let calls = 0;

beforeEach(() => {
  place = new TestPlace();
});
afterEach(async () => {
  await driver.destroyAll();
  place.cleanUp();
});

const callId = () => {
  calls += 1;
  return `call-${calls}`;
};

async function sandboxWith(pack: DeliveryPack): Promise<{ sandbox: Sandbox; repo: string }> {
  const spec = fakeSpec();
  const sandbox = await driver.create(spec, signal);
  await deliverRepository(sandbox, { callId: callId(), pack, branch, signal });
  return { sandbox, repo: join(driver.workspaceOf(spec.id), 'repo') };
}

/** From a repository to an imported commit, with `work` as the agent. */
async function change(repository: string, work: (repo: string) => void) {
  const mirror = await openProject({ home: place.path('home'), repository, signal });
  const base = await resolveBase(mirror, null, signal);
  const pack = await packFor(mirror, base.commit, {}, signal);
  const { sandbox, repo } = await sandboxWith(pack);
  work(repo);
  const checkpoint = await saveCheckpoint(sandbox, {
    callId: callId(),
    base: base.commit,
    submodules: pack.submodules,
    signal,
  });
  const proposal = await importProposal(mirror, {
    base: base.commit,
    tree: checkpoint.proposalTree,
    pack: checkpoint.pack,
    taskId: 't-1',
    runId: 'r-1',
    title: 'Fix',
    body: '',
    atMs: 0,
    protectedPaths: [],
    signal,
  });
  return { mirror, base, proposal, checkpoint, repo };
}

async function propose(mirror: Mirror, base: Base, commit: string) {
  const forge = new LocalForge({
    home: place.path('home'),
    projectId: 'p-1',
    mirror: mirror.directory,
    clock,
    signal,
  });
  await push(mirror, await forge.pushTarget(), { branch, commit, expected: null, signal });
  return {
    forge,
    pullRequest: await forge.openPullRequest({
      key: 't-1',
      title: 'Fix',
      body: '',
      branch,
      base: base.branch!,
      draft: false,
    }),
  };
}

test('an agent’s change goes from sandbox to merged pull request, and verify sees exactly its tree', async () => {
  const inner = makeRepository(place.path('inner'), { 'x.txt': 'x' });
  const source = makeRepository(place.path('source'), {
    'windows.txt': 'one\r\ntwo\r\n',
    '.gitattributes': '*.bat text eol=crlf\n*.bin filter=lfs\n',
    'run.bat': 'echo\n',
    'a.txt': 'a\n',
    '.gitignore': '*.log\n',
    'big.bin': 'version https://git-lfs.github.com/spec/v1\n',
  });
  gitIn(source, ['submodule', '--quiet', 'add', inner, 'module']);
  commitAll(source, 'with module');
  const { mirror, base, proposal, checkpoint, repo } = await change(source, (work) => {
    writeFiles(work, {
      'windows.txt': 'one\r\nchanged\r\n',
      'new file.txt': 'n',
      'x.log': 'ignored',
      'module/scratch': 's',
    });
    rmSync(join(work, 'a.txt'));
    commitAll(work, 'what the agent commits is not what is published');
  });
  expect(proposal.stat).toMatchObject({ files: 3, added: 2, removed: 2 });
  expect(checkpoint).toMatchObject({ files: 3, added: 2, removed: 2 });
  expect(gitIn(mirror.directory, ['log', '--format=%an', `${base.commit}..${proposal.commit}`])).toBe(
    'Berth',
  );

  const verify = await sandboxWith(await packFor(mirror, proposal.commit, {}, signal));
  expect(gitIn(verify.repo, ['rev-parse', 'HEAD^{tree}'])).toBe(checkpoint.proposalTree);
  expect(gitIn(verify.repo, ['status', '--porcelain', '--ignored'])).toBe('');
  expect(readFileSync(join(verify.repo, 'windows.txt'))).toEqual(readFileSync(join(repo, 'windows.txt')));

  const { forge, pullRequest } = await propose(mirror, base, proposal.commit);
  expect(pullRequest.head).toBe(proposal.commit);
  const { mergedAs } = await forge.merge(pullRequest.number, { by: 'anna' });
  expect(gitIn(forge.directory, ['rev-parse', `${mergedAs}^{tree}`])).toBe(checkpoint.proposalTree);
});

test('a crash between push and pull request, and everything again: one branch, one commit, one pull request', async () => {
  const source = makeRepository(place.path('source'), { 'a.txt': 'a\n' });
  const { mirror, base, proposal, checkpoint } = await change(source, (work) =>
    writeFiles(work, { 'a.txt': 'b\n' }),
  );
  const forge = new LocalForge({
    home: place.path('home'),
    projectId: 'p-1',
    mirror: mirror.directory,
    clock,
    signal,
  });
  expect(
    await push(mirror, await forge.pushTarget(), { branch, commit: proposal.commit, expected: null, signal }),
  ).toBe('pushed');
  const again = await importProposal(mirror, {
    base: base.commit,
    tree: checkpoint.proposalTree,
    pack: checkpoint.pack,
    taskId: 't-1',
    runId: 'r-1',
    title: 'Fix',
    body: '',
    atMs: 0,
    protectedPaths: [],
    signal,
  });
  expect(again.commit).toBe(proposal.commit);
  await propose(mirror, base, again.commit);
  await propose(mirror, base, again.commit);
  expect(await forge.listPullRequests()).toHaveLength(1);
});

test('a shallow project goes the whole way too', async () => {
  const source = makeRepository(place.path('source'), { 'a.txt': 'a\n' });
  writeFiles(source, { 'a.txt': 'b\n' });
  commitAll(source, 'second');
  gitIn(place.root, ['clone', '-q', '--depth=1', `file://${source}`, place.path('shallow')]);
  const { mirror, base, proposal } = await change(place.path('shallow'), (work) =>
    writeFiles(work, { 'a.txt': 'c\n' }),
  );
  const { forge, pullRequest } = await propose(mirror, base, proposal.commit);
  expect((await forge.merge(pullRequest.number, { by: 'anna' })).state).toBe('merged');
});

test('file names of any bytes go the whole way', async () => {
  const source = makeRepository(place.path('source'), {
    'a.txt': 'a\n',
    'new\nline': '1',
    'tab\t"q\'': '2',
    '-dash': '3',
  });
  execFileSync('sh', ['-c', 'printf x > "$(printf "caf\\351")"; printf y > "back\\\\slash"'], {
    cwd: source,
  });
  commitAll(source, 'odd names');
  const { proposal } = await change(source, (work) => {
    writeFiles(work, { 'new\nline': 'changed', '-dash': 'changed', 'glob[*?]': 'new', 'spä ce': 'new' });
    execFileSync(
      'sh',
      ['-c', 'printf changed > "$(printf "caf\\351")"; printf new > "$(printf "bad\\377")"'],
      { cwd: work },
    );
  });
  expect(proposal.stat.perFile.map((file) => file.path)).toEqual([
    '-dash',
    'bad\\xff',
    'caf\\xe9',
    'glob[*?]',
    'new\\x0aline',
    'spä ce',
  ]);
});
