import { execFile } from 'node:child_process';

const everyMs = 2_000;

/**
 * Where no file system of its own holds the sandbox's disk, this looks how much it uses. Between two looks a command
 * can write past the limit by what the disk takes in that time; no single file gets past RLIMIT_FSIZE.
 */
export function watchDisk(paths: readonly string[], limitBytes: number, onFull: () => void): () => void {
  let timer: NodeJS.Timeout;
  const look = (): void => {
    execFile('du', ['-sxk', '--', ...paths], { timeout: 60_000, maxBuffer: 1 << 24 }, (_error, stdout) => {
      const kib = stdout.split('\n').reduce((sum, line) => sum + (Number.parseInt(line, 10) || 0), 0);
      if (kib * 1024 > limitBytes) onFull();
      else timer = setTimeout(look, everyMs);
    });
  };
  timer = setTimeout(look, everyMs);
  return () => clearTimeout(timer);
}
