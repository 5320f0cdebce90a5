import { randomUUID } from 'node:crypto';
import { writeSync } from 'node:fs';
import { readArguments, required } from '../arguments.ts';
import { watchDisk } from './disk-watch.ts';
import { closeInheritedDescriptors } from './inherited.ts';
import { watchMemory } from './memory-watch.ts';
import { ContainerProcess } from './container-process.ts';
import { RunnerProcess, type KeptRunner } from './runner-process.ts';
import { refusalLog } from './refusal-log.ts';
import { Sandboxd } from './sandboxd.ts';
import { readEpoch, readGate, readTlsOptions } from './tls-options.ts';

closeInheritedDescriptors();

const option = readArguments(process.argv.slice(2), [
  'sandbox',
  'worker-socket',
  'runner-socket',
  'spool',
  'oom-counter',
  'runner',
  'container',
  'idle-minutes',
  'disk-paths',
  'disk-limit',
  'memory-limit',
  'listen',
  'channel-key',
  'pod-uid',
  'pod-uid-env',
  'pod-uid-file',
  'drop-local',
  'epoch',
  'gate',
]);

const bootId = randomUUID();
const tls = readTlsOptions(option);
const gate = readGate(option);
const runnerSocket = required(option('runner-socket'), 'runner-socket');
const sandboxd = new Sandboxd({
  sandbox: required(option('sandbox'), 'sandbox'),
  bootId,
  workerSocket: tls === null ? required(option('worker-socket'), 'worker-socket') : null,
  ...(tls === null ? {} : { tls: { ...tls, onRefused: refusalLog((line) => process.stderr.write(line)) } }),
  ...(gate === null ? {} : { gate }),
  epoch: readEpoch(option),
  runnerSocket,
  // Where it does not start the runner itself, whoever does may lose count.
  ...(tls === null ? {} : { generationFile: `${runnerSocket}.generation` }),
  spoolDirectory: required(option('spool'), 'spool'),
  oomCounterFile: option('oom-counter') ?? null,
  onShutdown: () => setTimeout(() => end(0), 50),
});

/** Time for the last frames to leave. */
const sayMs = 20;
let runner: KeptRunner | null = null;

function end(code: number, reason?: string): void {
  sandboxd.close(reason);
  // GOAWAY and the last answers need a moment to leave; nothing else keeps this process.
  const said = new Promise((resolve) => setTimeout(resolve, sayMs));
  void Promise.all([said, runner?.stop()]).then(() => process.exit(code));
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

const port = await sandboxd.listen();
// The first line of the log says who this is. Nothing but this process can write to it.
if (tls !== null) writeSync(1, `${tls.certificate.line}\n`);
process.stdout.write(`${JSON.stringify({ ready: true, bootId, ...(port === null ? {} : { port }) })}\n`);

const runnerFile = option('runner');
if (runnerFile !== undefined) {
  runner = new RunnerProcess({
    specFile: runnerFile,
    generation: () => sandboxd.generation,
    isUp: () => sandboxd.hasRunner,
    onSaid: (text) => process.stderr.write(text),
  });
}

const containerFile = option('container');
if (containerFile !== undefined) {
  runner = new ContainerProcess({
    specFile: containerFile,
    generation: () => sandboxd.generation,
    isUp: () => sandboxd.hasRunner,
    onSaid: (text) => process.stderr.write(text),
    onGone: () => end(1, 'the container of the sandbox was removed'),
  });
}

const memoryLimit = option('memory-limit');
if (memoryLimit !== undefined) {
  watchMemory({
    root: () => runner?.pid ?? null,
    limitBytes: Number(memoryLimit),
    counterFile: required(option('oom-counter'), 'oom-counter'),
  });
}

const diskPaths = option('disk-paths');
if (diskPaths !== undefined) {
  watchDisk(diskPaths.split(':'), Number(required(option('disk-limit'), 'disk-limit')), () =>
    end(1, 'the disk of the sandbox is full'),
  );
}

const idleMinutes = option('idle-minutes');
if (idleMinutes !== undefined) {
  let idle = 0;
  setInterval(() => {
    idle = sandboxd.hasWorker ? 0 : idle + 1;
    if (idle >= Number(idleMinutes)) end(0);
  }, 60_000);
}
