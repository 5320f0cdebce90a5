import { createConnection } from 'node:net';
import type { Socket } from 'node:net';
import { readArguments, required } from '../arguments.ts';
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

async function end(code: number): Promise<void> {
  await killAllCommands(sandbox);
  process.exit(code);
}

function tryConnect(): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = createConnection(socketPath);
    socket.once('connect', () => {
      socket.off('error', reject);
      resolve(socket);
    });
    socket.once('error', reject);
  });
}

async function connect(): Promise<Socket> {
  const deadline = performance.now() + connectForMs;
  for (;;) {
    try {
      return await tryConnect();
    } catch (error) {
      if (performance.now() > deadline) throw error;
      await new Promise((resolve) => setTimeout(resolve, 25));
    }
  }
}

// What an earlier runner started belongs to calls that ended as lost.
if (generation > 1) await killAllCommands(sandbox);
const socket = await connect().catch(() => null);
if (socket === null) process.exit(exitSandboxdGone);

const runner = new Runner(socket, {
  sandbox,
  generation,
  workspace,
  egressPort: egressPort === undefined ? null : Number(egressPort),
  diskRoots: option('disk-roots')?.split(':') ?? [workspace],
  environment: Object.fromEntries(
    Object.entries(process.env).filter((entry): entry is [string, string] => entry[1] !== undefined),
  ),
});
await runner.run();
await end(1);
