import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { maxTaskCharacters } from '../packages/server/src/domain/task.ts';
import { commitAll, gitIn, writeFiles } from '../packages/server/src/testing/git-fixtures.ts';
import { bubblewrapMissing } from './support/parts.ts';
import { request } from './support/start-run.ts';
import { changing, checking, openWorld, withBlueprint, type RunResult, type World } from './support/world.ts';

/** Repositories, bases, blueprints and task texts as they should not be: each is refused with a code, or just works. */
describe.skipIf(bubblewrapMissing !== null)(
  `bad input: repositories (${bubblewrapMissing ?? 'bwrap'})`,
  () => {
    let world: World;
    beforeAll(async () => {
      world = await openWorld();
    });
    afterAll(() => world.remove());

    const add = changing('echo new > new.txt', 'test -f new.txt');
    const path = (name: string): string => join(world.directory, 'repositories', name);
    const proposed = ({ run }: RunResult): void => {
      expect(run.status).toMatchObject({ state: 'succeeded' });
      expect(run.pullRequest).toMatchObject({ draft: false });
    };

    describe('task texts', () => {
      test('an empty one is refused and makes no run', async () => {
        const repository = world.repository('empty-text');
        await expect(world.start(request(repository, { text: ' \n\t ' }))).rejects.toMatchObject({
          code: 'TASK_EMPTY',
        });
        const { runs } = await world.server.controlPlane.listRuns({ visible: 'all', limit: 100 });
        expect(runs.filter((run) => run.project === 'empty-text')).toEqual([]);
      });

      test('a huge one is refused with its length; the longest that is taken arrives whole', async () => {
        const repository = world.repository('huge-text');
        const text = 'ä'.repeat(maxTaskCharacters);
        await expect(world.start(request(repository, { text: `${text}ä` }))).rejects.toMatchObject({
          code: 'TASK_TOO_LONG',
          message: expect.stringContaining(`${maxTaskCharacters + 1}`) as string,
        });
        const result = await world.run(withBlueprint(repository, checking('true'), { text }));
        expect(result.run.status.state).toBe('succeeded');
        const task = await world.server.controlPlane.getTask(result.run.task);
        expect(task.text).toBe(text);
      });

      test('one of quotes, markup and control characters is kept as it is and starts nothing', async () => {
        const repository = world.repository('odd-text');
        const text = `"; touch /tmp/owned; '$(id)' \`id\` {{x}} <!-- -->\n\u001b[31m\u202e\u0000end`;
        const result = await world.run(withBlueprint(repository, add, { text }));
        proposed(result);
        const task = await world.server.controlPlane.getTask(result.run.task);
        expect(task.text.replaceAll('\u0000', '')).toContain(`"; touch /tmp/owned; '$(id)'`);
      });
    });

    describe('repositories', () => {
      test('one that does not exist is refused with its path', async () => {
        await expect(world.start(request(path('nowhere')))).rejects.toMatchObject({
          code: 'REPO_NOT_FOUND',
          message: expect.stringContaining(path('nowhere')) as string,
        });
      });

      test('a directory without git, and a file, are refused', async () => {
        mkdirSync(path('plain'), { recursive: true });
        writeFileSync(path('a-file'), 'x');
        for (const name of ['plain', 'a-file'])
          await expect(world.start(request(path(name)))).rejects.toMatchObject({
            code: 'REPO_NOT_A_REPOSITORY',
          });
      });

      test('one without commits ends the run with the words that help', async () => {
        mkdirSync(path('no-commits'), { recursive: true });
        gitIn(path('no-commits'), ['init', '-q', '-b', 'main']);
        const { run } = await world.run(withBlueprint(path('no-commits'), add));
        expect(run.status).toMatchObject({ state: 'failed', code: 'REPO_EMPTY' });
        expect(run.status.next).toContain('git commit --allow-empty');
      });

      test('one whose only commit is empty takes its first file', async () => {
        proposed(await world.run(withBlueprint(world.repository('empty-tree', {}), add)));
      });

      test('a bare one works', async () => {
        const source = world.repository('to-bare');
        gitIn(source, ['clone', '-q', '--bare', source, path('bare.git')]);
        proposed(await world.run(withBlueprint(path('bare.git'), add)));
      });

      test('a shallow one works, and its pull request can be merged', async () => {
        const source = world.repository('deep');
        for (const n of [1, 2, 3]) {
          writeFiles(source, { 'n.txt': `${n}\n` });
          commitAll(source, `n ${n}`);
        }
        gitIn(source, ['clone', '-q', '--depth', '1', `file://${source}`, path('shallow')]);
        const result = await world.run(withBlueprint(path('shallow'), add));
        proposed(result);
        const merged = await world.server.controlPlane.mergeProposal(result.run.id, 'test');
        expect(merged.pr).toMatchObject({ state: 'merged' });
      });

      test('one with 200 MB of history is delivered without it', async () => {
        const source = world.repository('heavy');
        heavyHistory(source, { commits: 66, megabytes: 3 });
        const result = await world.run(
          withBlueprint(source, changing('git rev-list --count HEAD > new.txt', 'test "$(cat new.txt)" = 1')),
        );
        proposed(result);
      });

      test('the copy at home is the same whether the run failed or not: nothing of a source is changed', async () => {
        const source = world.repository('untouched', { 'a.txt': 'a\n' });
        writeFiles(source, { 'a.txt': 'changed\n', 'untracked.txt': 'x\n' });
        const before = treeOfDirectory(source);
        proposed(await world.run(withBlueprint(source, add)));
        await world.run(withBlueprint(source, checking('exit 1')));
        expect(treeOfDirectory(source)).toBe(before);
      });
    });

    describe('bases', () => {
      test('an unknown one ends the run and names the nearest', async () => {
        const repository = world.repository('bases');
        gitIn(repository, ['branch', 'release-2']);
        const { run } = await world.run(withBlueprint(repository, add, { base: 'relaese-2' }));
        expect(run.status).toMatchObject({ state: 'failed', code: 'BASE_UNKNOWN' });
        expect(run.status.reason).toContain('release-2');
      });

      test.each(['--upload-pack=touch owned', 'main..other', 'a\u0000b', '@{-1}', 'x'.repeat(5_000)])(
        'one that would be an option or an expression is unknown: %j',
        async (base) => {
          const repository = path('bases');
          const { run } = await world.run(withBlueprint(repository, add, { base }));
          expect(run.status).toMatchObject({ state: 'failed', code: 'BASE_UNKNOWN' });
          expect(run.status.reason.length).toBeLessThan(1_000);
        },
      );
    });

    describe('blueprints', () => {
      const bad = 'version: 1\nchecks:\n  - name: test\n    kind: test\n    rnu: npm test\n';

      test('one given that is not valid ends the run with line and column', async () => {
        const repository = world.repository('bad-given');
        const { run } = await world.run(withBlueprint(repository, bad));
        expect(run.status).toMatchObject({ state: 'failed', code: 'BLUEPRINT_INVALID' });
        expect(run.status.reason).toMatch(/given\.yaml:5:5: unknown key "rnu" \(did you mean "run"\?\)/);
      });

      test('one of the repository that is not valid ends the run with line and column', async () => {
        const repository = world.repository('bad-own', { '.berth/blueprint.yaml': bad });
        const { run } = await world.run(request(repository));
        expect(run.status).toMatchObject({ state: 'failed', code: 'BLUEPRINT_INVALID' });
        expect(run.status.reason).toMatch(/\.berth\/blueprint\.yaml:5:5/);
      });

      test.each([
        ['no YAML', 'version: 1\nchecks: [\n'],
        ['empty', ''],
        ['a list', '- 1\n'],
        ['binary', 'version: 1\u0000\n'],
        ['another version', 'version: 2\n'],
        ['a bomb of aliases', bomb()],
        ['a step that comes twice', 'version: 1\nsteps: [verify, verify]\n'],
      ])('one that is %s is refused with a place', async (_name, text) => {
        const repository = path('bad-given');
        const { run } = await world.run(withBlueprint(repository, text));
        expect(run.status).toMatchObject({ state: 'failed', code: 'BLUEPRINT_INVALID' });
        expect(run.status.reason).toMatch(/given\.yaml:\d+:\d+: /);
      });
    });
  },
);

/** Names that each stand for ten of the one before: nothing as text, gigabytes when they are put in. */
function bomb(): string {
  const lines = ['a0: &a0 [x, x, x, x, x, x, x, x, x, x]'];
  for (let n = 1; n < 10; n += 1) {
    const before = Array.from({ length: 10 }, () => `*a${n - 1}`).join(', ');
    lines.push(`a${n}: &a${n} [${before}]`);
  }
  return `${lines.join('\n')}\n`;
}

/** Adds commits that each replace one file that no packing makes smaller; the last removes it. */
function heavyHistory(repository: string, size: { commits: number; megabytes: number }): void {
  const script = `
set -eu
cd "$1"
n=0
{
  while [ $n -lt "$2" ]; do
    printf 'commit refs/heads/main\\ncommitter T <t@example.test> %s +0000\\ndata 1\\nx\\n' $((1700000001 + n))
    [ $n -gt 0 ] || printf 'from refs/heads/main^0\\n'
    printf 'M 100644 inline big.bin\\ndata %s\\n' "$3"
    head -c "$3" /dev/urandom
    printf '\\n'
    n=$((n + 1))
  done
  printf 'commit refs/heads/main\\ncommitter T <t@example.test> 1700009999 +0000\\ndata 1\\nx\\nD big.bin\\n\\n'
} | git -c core.compression=0 fast-import --quiet --depth=0
git reset -q --hard
`;
  const bytes = size.megabytes * 1024 * 1024;
  execFileSync('sh', ['-c', script, 'sh', repository, String(size.commits), String(bytes)]);
}

/** Everything that lies in a directory, `.git` included, as one text. */
function treeOfDirectory(directory: string): string {
  const script = 'cd "$1" && find . -type f -print0 | sort -z | xargs -0 sha256sum';
  return execFileSync('sh', ['-c', script, 'sh', directory]).toString();
}
