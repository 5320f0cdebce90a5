import { randomUUID } from 'node:crypto';
import { readArguments, required } from '../arguments.ts';
import { Sandboxd } from './sandboxd.ts';

const option = readArguments(process.argv.slice(2), [
  'sandbox',
  'worker-socket',
  'runner-socket',
  'spool',
  'oom-counter',
]);

const bootId = randomUUID();
const sandboxd = new Sandboxd({
  sandbox: required(option('sandbox'), 'sandbox'),
  bootId,
  workerSocket: required(option('worker-socket'), 'worker-socket'),
  runnerSocket: required(option('runner-socket'), 'runner-socket'),
  spoolDirectory: required(option('spool'), 'spool'),
  oomCounterFile: option('oom-counter') ?? null,
  onShutdown: () => setTimeout(() => end(0), 50),
});

function end(code: number): void {
  sandboxd.close();
  // GOAWAY and the last answers need a moment to leave; nothing else keeps this process.
  setTimeout(() => process.exit(code), 100);
}

process.on('SIGTERM', () => end(143));
process.on('SIGINT', () => end(143));
// A lost terminal or log reader is no reason to lose the journal.
process.on('SIGHUP', () => {});
process.stdout.on('error', () => {});
process.stderr.on('error', () => {});
process.on('unhandledRejection', (reason) => {
  process.stderr.write(
    `sandboxd: ${reason instanceof Error ? (reason.stack ?? reason.message) : String(reason)}\n`,
  );
});

await sandboxd.listen();
process.stdout.write(`${JSON.stringify({ ready: true, bootId })}\n`);
