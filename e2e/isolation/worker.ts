import type { SandboxSpec } from '../../packages/server/src/domain/ports/sandbox.ts';
import { BubblewrapDriver } from '../../packages/server/src/sandboxes/bubblewrap/index.ts';
import { ContainerDriver } from '../../packages/server/src/sandboxes/container/index.ts';
import { testClock } from '../../packages/server/src/testing/test-clock.ts';

// A worker as an attacker would like it: full of secrets. It makes a sandbox, says where, and waits to be killed.
const [stateDirectory = '', spec = '{}', engine = ''] = process.argv.slice(2);
const common = { stateDirectory, clock: testClock };
const driver =
  engine === ''
    ? new BubblewrapDriver(common)
    : new ContainerDriver({ ...common, env: { DOCKER_HOST: `unix://${engine}` } });
const sandbox = await driver.create(JSON.parse(spec) as SandboxSpec, AbortSignal.timeout(120_000));
process.stdout.write(`${JSON.stringify(sandbox.ref)}\n`);
process.stdin.resume();
