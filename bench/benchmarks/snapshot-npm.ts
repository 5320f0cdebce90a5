import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Sandbox } from '../../packages/server/src/domain/ports/sandbox.ts';
import { resolveBase } from '../../packages/server/src/git/base-ref.ts';
import { deliverRepository } from '../../packages/server/src/git/deliver-repository.ts';
import { openProject } from '../../packages/server/src/git/mirror.ts';
import { packFor } from '../../packages/server/src/git/shallow-pack.ts';
import { putSnapshot, takeSnapshot } from '../../packages/server/src/sandboxes/snapshots/transfer.ts';
import { directoryBlobs } from '../../packages/server/src/store/blobs/directory-blobs.ts';
import type { BenchmarkContext, Measured } from '../lib/benchmark.ts';
import { bubblewrapDriver, mebibyte, newSpec, runCommand } from '../lib/sandbox.ts';
import { median, timed } from '../lib/statistics.ts';

/** What a service of middle size uses; versions that this repository uses too, or used. */
const dependencies = {
  fastify: '^5',
  kysely: '^0.29',
  pg: '^8',
  zod: '^4',
  octokit: '^5',
  '@kubernetes/client-node': '^2',
  '@slack/bolt': '^5',
  react: '^19',
  'react-dom': '^19',
  vite: '^8',
  vitest: '^5',
};

/** A real `npm ci`, from the registry that npm of this machine is set to, and the snapshot that stands in for it. */
export async function run(context: BenchmarkContext): Promise<Measured> {
  const { quick, directory, signal } = context;
  const source = join(directory, 'source');
  mkdirSync(source, { recursive: true });
  const chosen = quick ? { zod: dependencies.zod } : dependencies;
  writeFileSync(
    join(source, 'package.json'),
    JSON.stringify({ name: 'sample', version: '1.0.0', private: true, dependencies: chosen }),
  );
  writeFileSync(join(source, '.gitignore'), 'node_modules/\n');
  // Without addresses: the sandbox has npm's settings of this machine.
  execFileSync(
    'npm',
    ['install', '--package-lock-only', '--ignore-scripts', '--omit-lockfile-registry-resolved', '--no-audit'],
    { cwd: source, stdio: 'ignore' },
  );
  const git = (...args: string[]): void =>
    void execFileSync('git', ['-c', 'user.name=b', '-c', 'user.email=b@b', ...args], {
      cwd: source,
      stdio: 'ignore',
    });
  git('init', '-b', 'main');
  git('add', '.');
  git('commit', '-m', 'First');
  const lock = JSON.parse(readFileSync(join(source, 'package-lock.json'), 'utf8')) as {
    readonly packages: object;
  };
  const mirror = await openProject({ home: join(directory, 'home'), repository: source, signal });
  const { commit } = await resolveBase(mirror, null, signal);
  const pack = await packFor(mirror, commit, {}, signal);
  const driver = bubblewrapDriver(context);
  const blobs = directoryBlobs(join(directory, 'blobs'));
  const open: Sandbox[] = [];
  const filled = async (): Promise<Sandbox> => {
    const sandbox = await driver.create({ ...newSpec(), egress: { rules: [{ ecosystem: 'npm' }] } }, signal);
    open.push(sandbox);
    await deliverRepository(sandbox, { callId: 'deliver', pack, branch: 'work', signal });
    return sandbox;
  };
  const install = ['sh', '-c', 'cd repo && npm ci --ignore-scripts --no-audit --no-fund'];
  const rounds = quick ? 1 : 3;
  try {
    const installs: number[] = [];
    for (let round = 0; round < rounds; round += 1) {
      const sandbox = await filled();
      installs.push(...(await timed(1, () => runCommand(sandbox, install, { signal }))));
      if (round < rounds - 1) await open.pop()?.destroy();
    }
    const [makeMs = 0, kept] = await (async () => {
      let made = await takeSnapshot(open.at(-1)!, commit, { blobs, signal });
      const [ms] = await timed(1, async () => {
        made = await takeSnapshot(open.at(-1)!, commit, { blobs, signal });
      });
      return [ms, made] as const;
    })();
    const restores: number[] = [];
    for (let round = 0; round < rounds; round += 1) {
      const sandbox = await filled();
      restores.push(...(await timed(1, () => putSnapshot(sandbox, kept, { blobs, signal }))));
      await runCommand(sandbox, ['sh', '-c', 'cd repo && npm ls --all >/dev/null'], { signal });
      await open.pop()?.destroy();
    }
    return {
      figures: [
        { name: 'npm ci, median', value: median(installs), unit: 'ms' },
        { name: 'restored instead, median', value: median(restores), unit: 'ms' },
        { name: 'made (the first agent waits so long, once)', value: makeMs, unit: 'ms' },
        { name: 'unpacked, as a tar', value: kept.bytes / mebibyte, unit: 'MiB' },
        { name: 'stored', value: kept.storedBytes / mebibyte, unit: 'MiB' },
      ],
      notes: [
        `${Object.keys(lock.packages).length - 1} packages, ${kept.files.toLocaleString('en')} files; npm’s cache in the sandbox is empty and becomes part of the snapshot`,
      ],
    };
  } finally {
    for (const sandbox of open) await sandbox.destroy();
  }
}
