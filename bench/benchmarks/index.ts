import type { Benchmark } from '../lib/benchmark.ts';
import { events } from './events.ts';
import { exec } from './exec.ts';
import { files } from './files.ts';
import { sandboxStart } from './sandbox-start.ts';
import { memory } from './memory.ts';
import { slowReader } from './slow-reader.ts';

/** All of them, in the order in which they run. */
export const benchmarks: readonly Benchmark[] = [exec, files, slowReader, sandboxStart, events, memory];
