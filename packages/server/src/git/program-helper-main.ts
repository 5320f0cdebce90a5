import type { HelperAnswer, HelperRequest } from './program-helper.ts';
import { type ProgramEnd, runProgram } from './run-program.ts';

// The small process that programs are forked from, see `runAside`. Lives as long as the one that started it.
const running = new Map<number, AbortController>();

function answer(message: HelperAnswer): void {
  if (process.connected) process.send?.(message, () => undefined);
}

async function run(request: Extract<HelperRequest, { kind: 'run' }>): Promise<void> {
  const control = new AbortController();
  running.set(request.id, control);
  const end = await runProgram(request.run, control.signal).catch((error: unknown) => failed(error));
  running.delete(request.id);
  answer({ kind: 'end', id: request.id, end });
}

function failed(error: unknown): ProgramEnd {
  return {
    exitCode: null,
    stdout: new Uint8Array(),
    stderr: '',
    timedOut: false,
    isMissing: false,
    isTooLarge: false,
    trouble: error instanceof Error ? error.message : String(error),
  };
}

/** Without a listener the process ends by itself once nothing runs any more. */
function endAll(): void {
  for (const control of running.values()) control.abort();
}

process.on('message', (message) => {
  const request = message as HelperRequest;
  if (request.kind === 'run') void run(request);
  else running.get(request.id)?.abort();
});
process.on('disconnect', endAll);
process.once('SIGTERM', () => {
  endAll();
  process.exitCode = 143;
  if (process.connected) process.disconnect();
});
answer({ kind: 'ready' });
