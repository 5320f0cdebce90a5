import type { SandboxSpec } from '../../packages/server/src/domain/ports/sandbox.ts';
import { BubblewrapDriver } from '../../packages/server/src/sandboxes/bubblewrap/index.ts';
import { testClock } from '../../packages/server/src/testing/test-clock.ts';

// A worker as an attacker would like it: full of secrets. It makes a sandbox, says where, and waits to be killed.
const [stateDirectory = '', spec = '{}'] = process.argv.slice(2);
const driver = new BubblewrapDriver({ stateDirectory, clock: testClock });
const sandbox = await driver.create(JSON.parse(spec) as SandboxSpec, AbortSignal.timeout(120_000));
process.stdout.write(`${JSON.stringify(sandbox.ref)}\n`);
process.stdin.resume();
