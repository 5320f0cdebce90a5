import { spawn } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { compileCache } from '../packages/server/src/testing/compile-cache.ts';
import { gitIn, makeRepository } from '../packages/server/src/testing/git-fixtures.ts';
import { bubblewrapMissing } from './support/parts.ts';
import { changing } from './support/world.ts';

interface Finished {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Commands that start at once on one data directory and one repository: one of them hosts, none gets in another's way. */
describe.skipIf(bubblewrapMissing !== null)(
  `bad input: two at once (${bubblewrapMissing ?? 'bwrap'})`,
  () => {
    let directory: string;
    let repository: string;
    beforeAll(() => {
      directory = mkdtempSync('/var/tmp/berth-e2e-');
      chmodSync(directory, 0o711);
      repository = makeRepository(join(directory, 'shared'), { 'README.md': '# shared\n' });
      for (const name of ['one', 'two', 'slow'])
        writeFileSync(
          join(directory, `${name}.yaml`),
          changing(`sleep ${name === 'slow' ? 3 : 0.3}; echo ${name} > ${name}.txt`, `test -f ${name}.txt`),
        );
    });
    afterAll(() => rmSync(directory, { recursive: true, force: true }));

    const berth = (args: readonly string[]): Promise<Finished> =>
      new Promise((resolve, reject) => {
        const child = spawn(process.execPath, [join(import.meta.dirname, 'support/berth.ts'), ...args], {
          cwd: directory,
          env: {
            PATH: process.env['PATH'] ?? '',
            HOME: directory,
            ...compileCache,
            LANG: 'C.UTF-8',
            BERTH_HOME: join(directory, 'home'),
            E2E_DATABASES: join(directory, 'databases'),
            NODE_NO_WARNINGS: '1',
          },
          stdio: ['ignore', 'pipe', 'pipe'],
        });
        let stdout = '';
        let stderr = '';
        child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
        child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
        child.on('error', reject);
        child.on('close', (code) => resolve({ code, stdout, stderr }));
      });
    const runWith = (name: string): Promise<Finished> =>
      berth(['run', `Add ${name}`, '--repo', repository, '--blueprint', join(directory, `${name}.yaml`)]);

    test('two `berth run` on a fresh data directory both end well, with a pull request each', async () => {
      const both = await Promise.all([runWith('one'), runWith('two')]);
      for (const { code, stderr } of both) expect([code, code === 0 ? '' : stderr]).toEqual([0, '']);
      const urls = both.map(({ stdout }) => stdout.trim());
      expect(new Set(urls).size).toBe(2);
      expect(gitIn(repository, ['status', '--porcelain'])).toBe('');
    });

    test('the one that does not host goes on when the host is finished', async () => {
      const [slow, quick] = await Promise.all([runWith('slow'), runWith('one')]);
      expect([slow.code, slow.code === 0 ? '' : slow.stderr]).toEqual([0, '']);
      expect([quick.code, quick.code === 0 ? '' : quick.stderr]).toEqual([0, '']);
    });

    test('what is wrong is told in three lines: what, which code, what to do', async () => {
      const failed = await berth(['run', 'x', '--repo', repository, '--base', 'mian']);
      expect(failed.code).toBe(3);
      expect(failed.stderr).toMatch(/There is no branch, tag or commit "mian"\. Nearest: main\./);
      expect(failed.stderr).toMatch(/\n {2}code: BASE_UNKNOWN\n {2}next: .*--base/);
      const missing = await berth(['run', 'x', '--repo', join(directory, 'nowhere')]);
      expect(missing.code).toBe(8);
      expect(missing.stderr).toMatch(
        /^error: There is no git repository at .*nowhere\.\n {2}code: REPO_NOT_FOUND\n {2}next: /m,
      );
    });
  },
);
