import { availableParallelism, totalmem } from 'node:os';
import type { SandboxLimits } from '../domain/ports/sandbox.ts';

const gib = 1024 ** 3;

/** What a sandbox may use where no profile says otherwise: enough for a compiler, less than the machine. */
export function defaultSandboxLimits(): SandboxLimits {
  return {
    memoryBytes: Math.max(gib, Math.min(4 * gib, Math.floor(totalmem() / 2))),
    cpus: Math.max(1, availableParallelism()),
    processes: 512,
    openFiles: 16_384,
    fileBytes: 2 * gib,
    diskBytes: 8 * gib,
  };
}
