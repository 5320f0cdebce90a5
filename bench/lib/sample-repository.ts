import { execFileSync } from 'node:child_process';
import { cpSync } from 'node:fs';
import { join } from 'node:path';
import type { CreateTask } from '../../packages/server/src/domain/ports/control-plane.ts';
import { runOptionsSchema } from '../../packages/server/src/domain/task.ts';

/** A git repository with the sample library of the demo, in `directory`. */
export function sampleRepository(directory: string, name = 'ledger'): string {
  const repository = join(directory, name);
  cpSync(join(import.meta.dirname, '..', '..', 'examples', 'demo', 'ledger'), repository, {
    recursive: true,
    filter: (source) => !source.includes('node_modules'),
  });
  const git = (...args: readonly string[]): void => {
    const identity = ['-c', 'user.name=Bench', '-c', 'user.email=bench@berth.invalid'];
    execFileSync('git', ['-C', repository, ...identity, ...args], { stdio: 'ignore' });
  };
  git('init', '--quiet', '--initial-branch=main');
  git('add', '--all');
  git('commit', '--quiet', '--message=Begin the ledger');
  return repository;
}

/** A task for that repository. @param blueprint its text, or null for the detected one */
export function sampleTask(repository: string, blueprint: string | null): CreateTask {
  return {
    repository,
    text: 'parseAmount in src/money.ts reads "1.005" wrongly. Fix it and keep the tests green.',
    options: runOptionsSchema.parse({
      blueprint: blueprint === null ? null : { path: 'bench.yaml', text: blueprint },
      propose: false,
    }),
    origin: { kind: 'api', by: 'bench' },
    idempotencyKey: null,
  };
}
