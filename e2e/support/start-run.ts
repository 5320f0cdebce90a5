import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { CreateTask } from '../../packages/server/src/domain/ports/control-plane.ts';
import type { EventView, RunView } from '../../packages/server/src/domain/views.ts';
import { compileCache } from '../../packages/server/src/testing/compile-cache.ts';
import { removeHomes } from '../../packages/server/src/testing/remove-homes.ts';

const hostedRun = join(import.meta.dirname, 'hosted-run.ts');

export interface Life {
  readonly runId: string | null;
  readonly killed: boolean;
  readonly ended: { readonly run: RunView; readonly events: readonly EventView[] } | null;
  readonly stderr: string;
}

/** One life of the process that hosts a run: until the run's end, or until it is killed. */
export function live(home: string, env: Readonly<Record<string, string>>): Promise<Life> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, ['--no-warnings', hostedRun], {
      env: {
        PATH: process.env['PATH'] ?? '',
        HOME: process.env['HOME'] ?? '',
        ...compileCache,
        BERTH_HOME: home,
        ...env,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (chunk: Buffer) => {
      stdout += chunk.toString();
    });
    child.stderr.on('data', (chunk: Buffer) => {
      stderr += chunk.toString();
    });
    child.on('error', reject);
    child.on('close', (_code, signal) => {
      const ended = /^ended (.*)$/m.exec(stdout)?.[1];
      resolve({
        runId: /^run (\S+)$/m.exec(stdout)?.[1] ?? null,
        killed: signal === 'SIGKILL',
        ended: ended === undefined ? null : (JSON.parse(ended) as Life['ended']),
        stderr,
      });
    });
  });
}

export interface Place {
  readonly directory: string;
  readonly home: string;
  readonly repository: string;
  remove(): void;
}

/** A directory with a repository of these files, and a data directory beside it. */
export function place(files: Readonly<Record<string, string>>): Place {
  const directory = mkdtempSync(join(tmpdir(), 'berth-e2e-'));
  const repository = join(directory, 'sample');
  repositoryOf(repository, files);
  return {
    directory,
    home: join(directory, 'home'),
    repository,
    remove: () => removeHomes(directory),
  };
}

/** Makes a repository of these files with one commit. */
export function repositoryOf(repository: string, files: Readonly<Record<string, string>>): void {
  execFileSync('git', ['init', '--quiet', '--initial-branch=main', repository]);
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(repository, path)), { recursive: true });
    writeFileSync(join(repository, path), text);
  }
  commitAll(repository, 'First');
}

export function commitAll(repository: string, message: string): void {
  const identity = [
    '-c',
    'user.name=Test',
    '-c',
    'user.email=test@berth.invalid',
    '-c',
    'commit.gpgsign=false',
  ];
  execFileSync('git', ['-C', repository, 'add', '--all']);
  execFileSync('git', ['-C', repository, ...identity, 'commit', '--quiet', '--allow-empty', '-m', message]);
}

/** A task as a test hands it in. */
export function request(
  repository: string,
  over: Partial<CreateTask['options']> & { text?: string } = {},
): CreateTask {
  const { text = 'Do what the blueprint says', ...options } = over;
  return {
    repository,
    text,
    origin: { kind: 'cli', by: 'test' },
    idempotencyKey: null,
    options: {
      base: null,
      model: null,
      blueprint: null,
      limits: {},
      propose: true,
      cassette: null,
      record: null,
      ...options,
    },
  };
}
