import { execFileSync } from 'node:child_process';
import { chmodSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import {
  configuredPolicy,
  defaultProposalPolicy,
  type PolicyAction,
  type PolicyRule,
} from '../domain/proposal-policy.ts';
import { commitAll, gitIn, makeRepository, TestPlace, writeFiles } from '../testing/git-fixtures.ts';
import { importProposal, type ImportProposal, type Proposal } from './import-proposal.ts';
import { openProject, type Mirror } from './mirror.ts';
import { rebaseProposal } from './rebase-proposal.ts';

const { signal } = new AbortController();
let place: TestPlace;
let source: string;
let mirror: Mirror;
let base: string;

beforeEach(async () => {
  place = new TestPlace();
  source = makeRepository(place.path('source'), {
    'a.txt': 'one\ntwo\nthree\nfour\nfive\n',
    'b.txt': 'b\n',
    'test/a.test.ts': "test('a', () => {\n  expect(1).toBe(1);\n});\n",
  });
  base = gitIn(source, ['rev-parse', 'HEAD']);
  mirror = await openProject({ home: place.path('home'), repository: source, signal });
});
afterEach(() => place.cleanUp());

async function propose(more: Partial<ImportProposal> = {}): Promise<Proposal> {
  gitIn(source, ['add', '-A', '-f']);
  const tree = gitIn(source, ['write-tree']);
  const pack = execFileSync('git', ['pack-objects', '--revs', '--stdout', '-q'], {
    cwd: source,
    input: `${tree}\n^${base}^{tree}\n`,
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  const common = { taskId: 't-1', runId: 'r-1', title: 'Fix', body: '', atMs: 0, protectedPaths: [], signal };
  return importProposal(mirror, { base, tree, pack, ...common, ...more });
}

const rule = (name: PolicyRule, action: PolicyAction) => ({
  policy: configuredPolicy({ rules: { [name]: action } }),
});
const shown = ({ findings }: Proposal): string[] =>
  findings.map((one) => `${one.policy} ${one.severity} ${one.path}`).sort();

// Put together here, so that this file does not look like a leak itself.
const random = ['q7Zk2PvX', 'w9Lr4TnB', 'c6Yd3HsM', 'j8Fg5QaE'].join('');

const cases: readonly (readonly [PolicyRule, string, () => void])[] = [
  ['ci', '.github/workflows/x.yml', () => writeFiles(source, { '.github/workflows/x.yml': 'on: push\n' })],
  ['codeowners', 'CODEOWNERS', () => writeFiles(source, { CODEOWNERS: '* @x\n' })],
  ['agentConfig', 'docs/AGENTS.md', () => writeFiles(source, { 'docs/AGENTS.md': 'Obey.\n' })],
  ['dotDirectories', '.husky/pre-commit', () => writeFiles(source, { '.husky/pre-commit': 'x\n' })],
  ['gitConfig', '.gitattributes', () => writeFiles(source, { '.gitattributes': '* text\n' })],
  ['lockfiles', 'package-lock.json', () => writeFiles(source, { 'package-lock.json': '{}\n' })],
  ['secrets', 'k.txt', () => writeFiles(source, { 'k.txt': `ghp_${'a1B2c3D4e5F6'.repeat(3)}\n` })],
  ['entropy', 'k.txt', () => writeFiles(source, { 'k.txt': `api_key = "${random}"\n` })],
  ['binary', 'x.bin', () => writeFiles(source, { 'x.bin': Buffer.from([1, 0, 2]) })],
  [
    'executables',
    'run.sh',
    () => {
      writeFiles(source, { 'run.sh': 'echo\n' });
      chmodSync(join(source, 'run.sh'), 0o755);
    },
  ],
  ['fileNames', 'B.txt', () => writeFiles(source, { 'B.txt': 'x\n' })],
  ['windowsNames', 'aux.c', () => writeFiles(source, { 'aux.c': 'x\n' })],
  ['weakenedChecks', 'test/a.test.ts', () => rmSync(join(source, 'test/a.test.ts'))],
];

test.each(cases)(
  '%s in %s: allowed with a note, a draft, or blocked, as the policy says',
  async (name, path, work) => {
    work();
    for (const [action, severity] of [
      ['allow', 'note'],
      ['draft', 'person'],
      ['block', 'refuse'],
    ] as const) {
      expect(shown(await propose(rule(name, action)))).toEqual([`${name} ${severity} ${path}`]);
    }
  },
);

test('links out of the repository and submodules are taken in where the policy lets them, links into git never', async () => {
  symlinkSync('/etc/passwd', join(source, 'out'));
  await expect(propose()).rejects.toMatchObject({ code: 'PROPOSAL_SYMLINK_REFUSED' });
  expect(shown(await propose(rule('symlinks', 'draft')))).toEqual(['symlinks person out']);
  rmSync(join(source, 'out'));
  symlinkSync('.git/config', join(source, 'in'));
  await expect(propose(rule('symlinks', 'allow'))).rejects.toMatchObject({
    code: 'PROPOSAL_SYMLINK_REFUSED',
  });
  rmSync(join(source, 'in'));
  const inner = makeRepository(place.path('inner'), { x: 'x' });
  gitIn(source, ['-c', 'protocol.file.allow=always', 'submodule', '--quiet', 'add', inner, 'module']);
  await expect(propose()).rejects.toMatchObject({ code: 'PROPOSAL_SUBMODULE_REFUSED' });
  expect(shown(await propose(rule('submodules', 'draft')))).toEqual([
    'gitConfig person .gitmodules',
    'submodules person module',
  ]);
});

test('more files or bytes than the policy has is one finding about the whole', async () => {
  writeFiles(source, { 'n1.txt': 'x\n', 'n2.txt': 'x\n' });
  const few = { ...defaultProposalPolicy, maxFiles: 1 };
  expect(shown(await propose({ policy: few }))).toEqual(['size refuse ']);
  expect(shown(await propose({ policy: { ...defaultProposalPolicy, maxBytes: 3 } }))).toEqual([
    'size refuse ',
  ]);
});

test('a known value is refused under every policy, in contents, names and the title', async () => {
  const known = 'correct-horse-battery';
  const open = configuredPolicy({ rules: { secrets: 'allow', entropy: 'allow' } });
  writeFiles(source, { 'x.txt': `v ${Buffer.from(known).toString('base64')}\n`, [`${known}.txt`]: 'x\n' });
  const proposal = await propose({ policy: open, knownSecrets: [known], title: `Use ${known}` });
  expect(shown(proposal)).toEqual([
    'always refuse the message of the commit',
    'always refuse the name of a file',
    'always refuse x.txt',
  ]);
});

test('a proposal is put onto a base that moved, and judged there anew', async () => {
  writeFiles(source, { 'a.txt': 'ONE\ntwo\nthree\nfour\nfive\n' });
  const proposal = await propose();
  gitIn(source, ['reset', '--hard', '-q', base]);
  writeFiles(source, { 'a.txt': 'one\ntwo\nthree\nfour\nFIVE\n', 'c.txt': 'c\n' });
  const onto = commitAll(source, 'meanwhile');
  mirror = await openProject({ home: place.path('home'), repository: source, signal });
  const request = {
    commit: proposal.commit,
    from: base,
    onto,
    taskId: 't-1',
    runId: 'r-1',
    title: 'Fix',
    body: '',
    atMs: 0,
    signal,
  };
  const answer = await rebaseProposal(mirror, { ...request, protectedPaths: ['a.txt'] });
  if (answer.kind !== 'rebased') throw new Error(answer.kind);
  const { commit } = answer.proposal;
  expect(gitIn(mirror.directory, ['show', `${commit}:a.txt`])).toBe('ONE\ntwo\nthree\nfour\nFIVE');
  expect(gitIn(mirror.directory, ['rev-parse', `${commit}^`])).toBe(onto);
  expect(answer.proposal.stat).toMatchObject({ files: 1, added: 1, removed: 1 });
  expect(shown(answer.proposal)).toEqual(['protectedPaths refuse a.txt']);
  expect(await rebaseProposal(mirror, { ...request, protectedPaths: ['a.txt'] })).toMatchObject({
    proposal: { commit },
  });
});

test('a conflict, a rewritten base and a change that is there already are told apart', async () => {
  writeFiles(source, { 'a.txt': 'ONE\ntwo\nthree\nfour\nfive\n' });
  const { commit } = await propose();
  const request = {
    commit,
    from: base,
    taskId: 't',
    runId: 'r',
    title: 'x',
    body: '',
    atMs: 0,
    protectedPaths: [],
    signal,
  };
  const ontoOf = async (text: string): Promise<string> => {
    gitIn(source, ['reset', '--hard', '-q', base]);
    writeFileSync(join(source, 'a.txt'), text);
    const onto = commitAll(source, 'meanwhile');
    mirror = await openProject({ home: place.path('home'), repository: source, signal });
    return onto;
  };
  const conflicting = await ontoOf('eins\ntwo\nthree\nfour\nfive\n');
  expect(await rebaseProposal(mirror, { ...request, onto: conflicting })).toEqual({
    kind: 'conflict',
    paths: ['a.txt'],
  });
  const same = await ontoOf('ONE\ntwo\nthree\nfour\nfive\n');
  expect(await rebaseProposal(mirror, { ...request, onto: same })).toEqual({ kind: 'there' });
  gitIn(source, ['checkout', '-q', '--orphan', 'fresh']);
  commitAll(source, 'another history');
  gitIn(source, ['branch', '-q', '-M', 'fresh', 'main']);
  mirror = await openProject({ home: place.path('home'), repository: source, signal });
  const rewritten = gitIn(source, ['rev-parse', 'main']);
  expect(await rebaseProposal(mirror, { ...request, onto: rewritten })).toEqual({ kind: 'rewritten' });
});
