import { dialUnixSocket } from '@berth/protocol';
import type { DialledSocket } from '@berth/protocol';
import { readArguments, required } from '../arguments.ts';
import { commandEnvironmentName, imageEnvironmentName } from '../launch.ts';
import { guardMemory } from './memory-guard.ts';
import { workspaceName } from './places.ts';
import { killAllCommands, Runner } from './runner.ts';

/** Tells the supervisor that sandboxd is gone and a new runner would be alone. */
const exitSandboxdGone = 75;
const connectForMs = 3_000;

const option = readArguments(process.argv.slice(2), [
  'sandbox',
  'socket',
  'workspace',
  'egress-port',
  'disk-roots',
  'generation',
  'memory-limit',
]);
const sandbox = required(option('sandbox'), 'sandbox');
const socketPath = required(option('socket'), 'socket');
const generation = Number(required(option('generation'), 'generation'));
const workspace = option('workspace') ?? workspaceName;
const egressPort = option('egress-port');

process.on('SIGTERM', () => void end(143));
process.on('SIGINT', () => void end(143));
process.on('SIGHUP', () => {});
// A file that grows past its limit is an error of one write, not the end of the runner.
process.on('SIGXFSZ', () => {});
process.stdout.on('error', () => {});
process.stderr.on('error', () => {});
process.on('unhandledRejection', (reason) => {
  process.stderr.write(
    `runner: ${reason instanceof Error ? (reason.stack ?? reason.message) : String(reason)}\n`,
  );
});

/** What commands start from: the launcher's JSON, or else this process's own environment. */
function commandEnvironment(): Record<string, string> {
  const given = process.env[commandEnvironmentName];
  const source: Record<string, unknown> =
    given === undefined ? process.env : withImage(JSON.parse(given) as typeof process.env);
  return Object.fromEntries(
    Object.entries(source).filter((entry): entry is [string, string] => typeof entry[1] === 'string'),
  );
}

/** What is not the image's: ours, and what a cluster puts into every container. */
const notTheImages = /^(BERTH_|KUBERNETES_|MALLOC_ARENA_MAX$|MALLOC_TRIM_THRESHOLD_$|PWD$|SHLVL$|_$)/;

function withImage(given: typeof process.env): typeof process.env {
  if (process.env[imageEnvironmentName] === undefined) return given;
  const image = Object.entries(process.env).filter(([name]) => !notTheImages.test(name));
  const path = given['PATH']?.replace('{image}', process.env['PATH'] ?? '/usr/bin:/bin');
  return { ...Object.fromEntries(image), ...given, ...(path === undefined ? {} : { PATH: path }) };
}

async function end(code: number): Promise<void> {
  await killAllCommands(sandbox);
  process.exit(code);
}

async function connect(): Promise<DialledSocket> {
  const deadline = performance.now() + connectForMs;
  for (;;) {
    try {
      return await dialUnixSocket(socketPath);
    } catch (error) {
      if (performance.now() > deadline) throw error;
      await new Promise((resolve) => setTimeout(resolve, 25));
    }
  }
}

// What an earlier runner started belongs to calls that ended as lost.
if (generation > 1) await killAllCommands(sandbox);
const dialled = await connect().catch(() => null);
if (dialled === null) process.exit(exitSandboxdGone);

const memoryLimit = option('memory-limit');
const runner = new Runner(dialled, {
  sandbox,
  generation,
  workspace,
  egressPort: egressPort === undefined ? null : Number(egressPort),
  diskRoots: option('disk-roots')?.split(':') ?? [workspace],
  environment: commandEnvironment(),
  memoryKills: memoryLimit === undefined ? () => 0 : guardMemory(Number(memoryLimit)).kills,
});
await runner.run();
await end(1);
