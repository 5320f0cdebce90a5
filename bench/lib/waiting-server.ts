import { startServer } from '../../packages/server/src/main.ts';
import { MemoryOnlyDriver } from './memory-driver.ts';
import { sampleTask } from './sample-repository.ts';

/** What the benchmark asks of its server. */
export type Request =
  | { readonly kind: 'start'; readonly runs: number }
  | { readonly kind: 'heap' }
  | { readonly kind: 'stop' };
export type Answer =
  | { readonly kind: 'ready' }
  | { readonly kind: 'heap'; readonly mib: number }
  | { readonly kind: 'trouble'; readonly text: string };

/** Only the agent's step: everything before it would be garbage by the time the model is asked. */
const blueprint = 'version: 1\nsteps: [agent]\n';

const [home, maxRuns, ...repositories] = process.argv.slice(2);
if (home === undefined || repositories.length === 0 || process.send === undefined) process.exit(2);
const answer = (message: Answer): void => void process.send?.(message);
const server = await startServer({
  home,
  env: process.env,
  parts: ['api', 'worker'],
  onProgress: (text) => answer({ kind: 'trouble', text }),
  maxRuns: Number(maxRuns),
  driver: new MemoryOnlyDriver(),
  onAppended: ({ ended }) => {
    if (ended !== null) answer({ kind: 'trouble', text: ended.sentence });
  },
});

let started = 0;

async function handle(request: Request): Promise<void> {
  switch (request.kind) {
    case 'start':
      for (let index = 0; index < request.runs; index += 1) {
        const repository = repositories[started % repositories.length] ?? '';
        started += 1;
        await server.controlPlane.createTask(sampleTask(repository, blueprint));
      }
      return;
    case 'heap':
      globalThis.gc?.();
      answer({ kind: 'heap', mib: process.memoryUsage().heapUsed / 1024 ** 2 });
      return;
    case 'stop':
      await server.stop();
      process.exit(0);
  }
}

process.on('message', (request) => {
  handle(request as Request).catch((error: unknown) => answer({ kind: 'trouble', text: String(error) }));
});
answer({ kind: 'ready' });
