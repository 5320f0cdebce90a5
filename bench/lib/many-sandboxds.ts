import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { dialUnixSocket } from '../../packages/protocol/src/index.ts';
import { Runner } from '../../packages/sandboxd/src/runner/runner.ts';
import { Sandboxd } from '../../packages/sandboxd/src/sandboxd/sandboxd.ts';

// Many sandboxds with their runners in one process: what the worker's end of a channel costs does not depend on it.
const [directory = '', count = '0'] = process.argv.slice(2);
for (let at = 0; at < Number(count); at += 1) {
  const sandbox = `many-${at}`;
  const place = join(directory, sandbox);
  const workspace = join(place, 'workspace');
  for (const path of [workspace, join(place, 'spool')]) mkdirSync(path, { recursive: true });
  const runnerSocket = join(place, 'r');
  const sandboxd = new Sandboxd({
    sandbox,
    bootId: sandbox,
    workerSocket: join(place, 'w'),
    runnerSocket,
    spoolDirectory: join(place, 'spool'),
    oomCounterFile: null,
    onShutdown: () => undefined,
  });
  await sandboxd.listen();
  const runner = new Runner(await dialUnixSocket(runnerSocket), {
    sandbox,
    generation: 1,
    workspace,
    egressPort: null,
    diskRoots: [workspace],
    environment: { PATH: process.env['PATH'] ?? '/usr/bin:/bin', HOME: workspace },
    memoryKills: () => 0,
  });
  void runner.run();
}
process.once('SIGTERM', () => process.exit(143));
process.send?.('ready');
