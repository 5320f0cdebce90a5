import { text } from 'node:stream/consumers';
import type { SandboxSpec } from '../domain/ports/sandbox.ts';
import { ContainerDriver } from '../sandboxes/container/index.ts';
import { testClock } from './test-clock.ts';

/** A process that makes one container sandbox, as its standard input says, to be killed while it does. */
const { engine, stateDirectory, toolsDirectory, spec } = JSON.parse(await text(process.stdin)) as {
  readonly engine: string;
  readonly stateDirectory: string;
  readonly toolsDirectory: string;
  readonly spec: SandboxSpec;
};
const env = { DOCKER_HOST: `unix://${engine}` };
const driver = new ContainerDriver({ stateDirectory, toolsDirectory, clock: testClock, env });
await driver.create(spec, AbortSignal.timeout(120_000));
