import { execFileSync } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { hostServer, type HostedServer } from './support/hosted-server.ts';
import { bubblewrapMissing } from './support/parts.ts';

/** No optional locks: looking at a checkout must not refresh its index. */
const git = (directory: string, ...args: string[]): string =>
  execFileSync('git', ['--no-optional-locks', '-c', 'safe.directory=*', '-C', directory, ...args], {
    encoding: 'utf8',
  }).trim();

/** A check that holds for this repository without installing anything. */
const blueprint = `version: 1
name: own
checks:
  - name: readme
    kind: lint
    timeoutMinutes: 1
    run: 'grep -q "^# Berth" README.md && grep -q "Hello from a test." README.md && test -f packages/server/src/main.ts'
`;

/** What of a checkout a run could have touched. */
const checkoutNow = (directory: string): Record<string, string> => ({
  head: git(directory, 'rev-parse', 'HEAD'),
  branch: git(directory, 'rev-parse', '--abbrev-ref', 'HEAD'),
  refs: git(directory, 'for-each-ref'),
  status: git(directory, 'status', '--porcelain=v1', '--untracked-files=normal'),
  config: git(directory, 'config', '--local', '--list'),
});

describe.skipIf(bubblewrapMissing !== null)(
  `the main job on this repository itself (${bubblewrapMissing ?? 'with bubblewrap'})`,
  () => {
    let hosted: HostedServer;
    beforeAll(async () => {
      hosted = await hostServer();
    });
    afterAll(async () => hosted.close());

    const mainJob = async (checkout: string): Promise<string> => {
      const before = checkoutNow(checkout);
      const cassette = hosted.cassette([
        { toolCalls: [{ name: 'read', input: { path: 'README.md' } }] },
        {
          expect: { lastResultsInclude: '# Berth' },
          toolCalls: [
            {
              name: 'bash',
              input: { command: 'printf "\\nHello from a test.\\n" >> README.md && git diff --stat' },
            },
          ],
        },
        {
          expect: { lastResultsInclude: 'README.md' },
          toolCalls: [{ name: 'finish', input: { result: 'done', summary: 'Greeted the reader.' } }],
        },
      ]);
      const runId = await hosted.start(checkout, {
        text: 'Greet the reader at the end of the README',
        blueprint: { path: 'own.yaml', text: blueprint },
        cassette,
      });
      const { run } = await hosted.end(runId);
      expect(run.status).toMatchObject({ state: 'succeeded' });
      expect(run.base?.commit).toBe(before['head']);
      expect(run.pullRequest).toMatchObject({ draft: false });
      expect(run.changes).toMatchObject({ files: 1, added: 2, removed: 0 });
      expect(await hosted.server().controlPlane.diff(runId)).toContain('+Hello from a test.');
      expect(checkoutNow(checkout)).toEqual(before);
      return runId;
    };

    test('ends with a ready pull request on its current commit, and leaves the checkout alone', async () => {
      await mainJob(git(import.meta.dirname, 'rev-parse', '--show-toplevel'));
    });

    const source = (): string => pathToFileURL(git(import.meta.dirname, 'rev-parse', '--show-toplevel')).href;

    test('does so too in a shallow clone with a detached head and changes that are not committed', async () => {
      const clone = join(hosted.directory, 'shallow');
      execFileSync('git', ['-c', 'safe.directory=*', 'clone', '--quiet', '--depth', '1', source(), clone]);
      git(clone, 'checkout', '--quiet', '--detach');
      writeFileSync(join(clone, 'README.md'), 'half a sentence that nobody has com');
      writeFileSync(join(clone, 'new file.txt'), 'untracked');
      rmSync(join(clone, 'LICENSE'));
      await mainJob(clone);
    });

    test('does so too where one commit was fetched and no branch exists', async () => {
      const clone = join(hosted.directory, 'one-commit');
      execFileSync('git', ['init', '--quiet', clone]);
      git(clone, 'fetch', '--quiet', '--depth', '1', source(), 'HEAD');
      git(clone, 'checkout', '--quiet', '--detach', 'FETCH_HEAD');
      const { pr } = await hosted.server().controlPlane.mergeProposal(await mainJob(clone), 'test');
      expect(pr).toMatchObject({ state: 'merged' });
    });
  },
);
