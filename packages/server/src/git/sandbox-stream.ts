import { PassThrough } from 'node:stream';
import { BerthError } from '../domain/errors/index.ts';
import type { ExecRequest, ExecResult, OutputChunk, Sandbox } from '../domain/ports/sandbox.ts';
import { scriptEnvironment, type SandboxScript } from './sandbox-script.ts';

/** What travels in one piece: large enough that a round trip each does not count. */
const pieceBytes = 1024 * 1024;
const mostSaid = 64 * 1024;

type StreamedScript = Omit<SandboxScript, 'stdin' | 'failure'>;

/**
 * The output of one of Berth's own scripts, as it comes and no faster than it is taken. It ends well only when the script
 * did. What comes is hostile data.
 * @throws BerthError `SNAPSHOT_FAILED`, `SANDBOX_DISK_FULL`, `SANDBOX_LOST`
 */
export async function* streamFromSandbox(
  sandbox: Sandbox,
  request: StreamedScript,
): AsyncGenerator<Uint8Array> {
  const out = new PassThrough({ highWaterMark: pieceBytes });
  // Whoever reads hears of it; nobody may read any more.
  out.on('error', () => undefined);
  const said = collector();
  const stop = new AbortController();
  const ended = sandbox
    .exec(execOf(request), {
      signal: AbortSignal.any([request.signal, stop.signal]),
      onOutput: async (chunk) => {
        if (chunk.stream === 'stderr') said.take(chunk);
        else await new Promise<void>((resolve) => out.write(chunk.data, () => resolve()));
      },
    })
    .then((result) => {
      assertEnded(result, said.text());
      out.end();
    })
    .catch((error: unknown) => {
      out.destroy(error instanceof Error ? error : new Error(String(error)));
    });
  try {
    for await (const chunk of out as AsyncIterable<Buffer>) yield chunk;
  } finally {
    stop.abort();
    out.destroy();
    await ended;
    await endCall(sandbox, request.id);
  }
}

/**
 * Runs one of Berth's own scripts with `source` on its standard input.
 * @throws BerthError as `streamFromSandbox`, or what `source` throws
 */
export async function streamIntoSandbox(
  sandbox: Sandbox,
  request: StreamedScript,
  source: AsyncIterable<Uint8Array>,
): Promise<void> {
  const said = collector();
  const stop = new AbortController();
  const signal = AbortSignal.any([request.signal, stop.signal]);
  const running = sandbox
    .exec({ ...execOf(request), stdin: 'open' }, { signal, onOutput: (chunk) => said.take(chunk) })
    .then((result) => assertEnded(result, said.text()));
  const feeding = feed(sandbox, request.id, source, signal);
  try {
    // A script that ends early, and a source that fails, both end the other.
    await Promise.race([
      running,
      feeding.then(
        () => running,
        (error: unknown) => verdict(error, running),
      ),
    ]);
  } finally {
    stop.abort();
    await Promise.allSettled([running, feeding]);
    await endCall(sandbox, request.id);
  }
}

/**
 * What a failed feed says about the whole. A program may end well before it has read all (an archive is over before its
 * padding is), and what arrives afterwards is refused: how the program ended decides then.
 */
async function verdict(error: unknown, running: Promise<void>): Promise<void> {
  if (!(error instanceof BerthError) || error.code !== 'EXEC_REFUSED') throw error;
  await running;
}

async function feed(
  sandbox: Sandbox,
  id: string,
  source: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
): Promise<void> {
  const waiting: Uint8Array[] = [];
  let bytes = 0;
  const send = async (): Promise<void> => {
    if (bytes > 0) await sandbox.writeStdin(id, Buffer.concat(waiting.splice(0)));
    bytes = 0;
  };
  for await (const chunk of source) {
    signal.throwIfAborted();
    waiting.push(chunk);
    bytes += chunk.length;
    if (bytes >= pieceBytes) await send();
  }
  await send();
  await sandbox.writeStdin(id, null);
}

function execOf(request: StreamedScript): ExecRequest {
  return {
    id: request.id,
    command: { argv: ['sh', '-c', request.script, 'berth', ...request.args] },
    cwd: request.cwd,
    env: scriptEnvironment(),
    timeoutMs: request.timeoutMs,
    maxOutputBytes: request.maxOutputBytes,
    overflow: 'block',
  };
}

function collector(): { take(chunk: OutputChunk): void; text(): string } {
  const parts: Uint8Array[] = [];
  let bytes = 0;
  return {
    take(chunk) {
      bytes += chunk.data.length;
      if (bytes <= mostSaid) parts.push(chunk.data);
    },
    text: () => Buffer.concat(parts).toString('utf8'),
  };
}

function assertEnded(result: ExecResult, said: string): void {
  if (result.kind === 'lost') throw new BerthError('SANDBOX_LOST');
  const { exitCode, signal, timedOut, outOfMemory } = result;
  if (exitCode === 0) return;
  if (/No space left on device|Disk quota exceeded/.test(said)) throw new BerthError('SANDBOX_DISK_FULL');
  const sentence =
    exitCode === 3
      ? 'Files that the commit tracks are not as it has them.'
      : timedOut
        ? 'It took too long.'
        : `The script in the sandbox ended with ${exitCode ?? signal ?? 'nothing'}.`;
  throw new BerthError('SNAPSHOT_FAILED', sentence, {
    details: { exitCode, signal, timedOut, outOfMemory, said: said.slice(-4_000) },
  });
}

/** Whatever still runs of it is ended before it is forgotten. */
async function endCall(sandbox: Sandbox, id: string): Promise<void> {
  await sandbox.kill(id, 'SIGKILL').catch(() => undefined);
  await sandbox.forget(id).catch(() => undefined);
}
