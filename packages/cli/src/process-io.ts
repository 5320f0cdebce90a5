import type { Io } from './io.ts';

/** The real world. */
export function processIo(loadServer: Io['loadServer']): Io {
  for (const stream of [process.stdout, process.stderr]) {
    // A reader that went away (`berth logs | head`) is no failure.
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EPIPE') process.exit(0);
      throw error;
    });
  }
  return {
    argv: process.argv.slice(2),
    env: process.env,
    cwd: process.cwd(),
    stdin: process.stdin,
    stdout: process.stdout,
    stderr: process.stderr,
    loadServer,
  };
}
