import { randomUUID } from 'node:crypto';
import { systemClock } from '../../packages/server/src/domain/clock.ts';
import { noEgress } from '../../packages/server/src/domain/egress.ts';
import type {
  ExecRequest,
  OutputChunk,
  Sandbox,
  SandboxSpec,
} from '../../packages/server/src/domain/ports/sandbox.ts';
import { BubblewrapDriver } from '../../packages/server/src/sandboxes/bubblewrap/index.ts';
import { defaultSandboxLimits } from '../../packages/server/src/sandboxes/default-limits.ts';
import type { BenchmarkContext } from './benchmark.ts';

/** The real driver, with its sandboxes in the benchmark's directory. */
export function bubblewrapDriver({ directory }: BenchmarkContext): BubblewrapDriver {
  // What a killed benchmark left behind ends by itself after two minutes.
  return new BubblewrapDriver({ stateDirectory: directory, clock: systemClock, idleMinutes: 2 });
}

export function newSpec(): SandboxSpec {
  return {
    id: `bench-${randomUUID()}`,
    runId: 'r_bench',
    purpose: 'work',
    epoch: 1,
    limits: defaultSandboxLimits(),
    env: {},
    egress: noEgress,
    profile: null,
  };
}

/** A sandbox of the real driver for as long as `use` takes. */
export async function withSandbox<T>(
  context: BenchmarkContext,
  use: (sandbox: Sandbox) => Promise<T>,
): Promise<T> {
  const sandbox = await bubblewrapDriver(context).create(newSpec(), context.signal);
  try {
    return await use(sandbox);
  } finally {
    await sandbox.destroy();
  }
}

/** Runs a command to its end and lets sandboxd forget it, as the product does; throws unless it ends with 0. */
export async function runCommand(
  sandbox: Sandbox,
  argv: readonly string[],
  options: {
    readonly signal: AbortSignal;
    readonly onOutput?: (chunk: OutputChunk) => void | Promise<void>;
    readonly keep?: boolean;
  },
): Promise<void> {
  const { signal, onOutput, keep = false } = options;
  const request: ExecRequest = {
    id: randomUUID(),
    command: { argv },
    cwd: '.',
    env: {},
    timeoutMs: 120_000,
    maxOutputBytes: 512 * 1024 * 1024,
    overflow: 'block',
  };
  const result = await sandbox.exec(request, { signal, ...(onOutput === undefined ? {} : { onOutput }) });
  if (result.kind === 'lost' || result.exitCode !== 0)
    throw new Error(`${argv.join(' ')} ended with ${JSON.stringify(result)}`);
  if (!keep) await sandbox.forget(request.id);
}

export const mebibyte = 1024 * 1024;

/** A command that prints so many MiB of zero bytes and needs no time of its own to make them. */
export function printing(mib: number): string[] {
  return ['head', '-c', String(mib * mebibyte), '/dev/zero'];
}
