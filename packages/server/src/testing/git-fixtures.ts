import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

const environment = {
  PATH: process.env['PATH'] ?? '/usr/bin:/bin',
  HOME: '/nonexistent',
  LC_ALL: 'C',
  GIT_CONFIG_NOSYSTEM: '1',
  GIT_CONFIG_GLOBAL: '/dev/null',
  GIT_AUTHOR_NAME: 'Test',
  GIT_AUTHOR_EMAIL: 'test@example.test',
  GIT_COMMITTER_NAME: 'Test',
  GIT_COMMITTER_EMAIL: 'test@example.test',
  GIT_AUTHOR_DATE: '@1700000000 +0000',
  GIT_COMMITTER_DATE: '@1700000000 +0000',
};

/** A directory that `cleanUp` removes. */
export class TestPlace {
  readonly root = mkdtempSync(join(tmpdir(), 'berth-git-test-'));

  path(...parts: string[]): string {
    return join(this.root, ...parts);
  }

  cleanUp(): void {
    rmSync(this.root, { recursive: true, force: true });
  }
}

/** Runs real git, as a user would, and answers its output. */
export function gitIn(directory: string, args: readonly string[], input: string | Uint8Array = ''): string {
  return execFileSync('git', ['-c', 'protocol.file.allow=always', ...args], {
    cwd: directory,
    env: environment,
    input,
    maxBuffer: 256 * 1024 * 1024,
    stdio: ['pipe', 'pipe', 'pipe'],
  })
    .toString('utf8')
    .replace(/\n$/, '');
}

export type Files = Readonly<Record<string, string | Uint8Array>>;

/** Writes files below a directory. */
export function writeFiles(directory: string, files: Files): void {
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(directory, path)), { recursive: true });
    writeFileSync(join(directory, path), content);
  }
}

/** Adds everything and commits. */
export function commitAll(directory: string, message: string): string {
  gitIn(directory, ['-c', 'core.autocrlf=false', 'add', '-A']);
  gitIn(directory, ['commit', '-q', '--allow-empty', '-m', message]);
  return gitIn(directory, ['rev-parse', 'HEAD']);
}

/** A repository with one commit on `main`. */
export function makeRepository(directory: string, files: Files): string {
  mkdirSync(directory, { recursive: true });
  gitIn(directory, ['init', '-q', '-b', 'main']);
  writeFiles(directory, files);
  commitAll(directory, 'first');
  return directory;
}
