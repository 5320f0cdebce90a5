import type { ExecRequest, ExecResult, OutputChunk, Sandbox } from '../domain/ports/sandbox.ts';

let counter = 0;

/** A request with defaults for tests; the id is new unless given. */
export function execRequest(
  command: string | readonly string[],
  overrides: Partial<ExecRequest> = {},
): ExecRequest {
  counter += 1;
  return {
    id: `call-${counter}`,
    command: typeof command === 'string' ? { script: command } : { argv: command },
    cwd: '/workspace',
    env: {},
    timeoutMs: 60_000,
    maxOutputBytes: 16 * 1024 * 1024,
    overflow: 'truncate',
    ...overrides,
  };
}

export interface Ran {
  readonly result: ExecResult;
  readonly stdout: Buffer;
  readonly stderr: Buffer;
  readonly chunks: readonly OutputChunk[];
}

/** Runs a request to its end and keeps what it printed. */
export async function runToEnd(
  sandbox: Sandbox,
  request: ExecRequest,
  options: { fromOffset?: number; signal?: AbortSignal; onChunk?: (chunk: OutputChunk) => void } = {},
): Promise<Ran> {
  const chunks: OutputChunk[] = [];
  const result = await sandbox.exec(request, {
    signal: options.signal ?? AbortSignal.timeout(120_000),
    ...(options.fromOffset === undefined ? {} : { fromOffset: options.fromOffset }),
    onOutput: (chunk) => {
      chunks.push(chunk);
      options.onChunk?.(chunk);
    },
  });
  const of = (stream: 'stdout' | 'stderr'): Buffer =>
    Buffer.concat(chunks.filter((chunk) => chunk.stream === stream).map((chunk) => chunk.data));
  return { result, stdout: of('stdout'), stderr: of('stderr'), chunks };
}

/** Starts a call without waiting for its end; `printed(text)` resolves when its output holds the text. */
export function startCall(
  sandbox: Sandbox,
  request: ExecRequest,
): {
  readonly done: Promise<ExecResult>;
  readonly printed: (text: string) => Promise<void>;
  readonly output: () => string;
} {
  let output = '';
  let waiting: Array<{ text: string; resolve: () => void }> = [];
  const done = sandbox.exec(request, {
    signal: AbortSignal.timeout(120_000),
    onOutput: (chunk) => {
      output += Buffer.from(chunk.data).toString('latin1');
      for (const one of waiting.filter(({ text }) => output.includes(text))) one.resolve();
      waiting = waiting.filter(({ text }) => !output.includes(text));
    },
  });
  return {
    done,
    output: () => output,
    printed: (text) =>
      output.includes(text)
        ? Promise.resolve()
        : new Promise((resolve, reject) => {
            waiting.push({ text, resolve });
            done.then(() => reject(new Error(`ended without printing ${text}: ${output}`)), reject);
          }),
  };
}
