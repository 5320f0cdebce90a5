import { spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { BerthError } from '../../domain/errors/index.ts';
import { nameProcess, type ProcessName } from './processes.ts';

/** Programs that only root's PATH has (`mount`, `setpriv`, `unshare`, `prlimit`). */
export const programPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** Starts sandboxd so that it survives us, and waits for its first line. @throws BerthError `SANDBOX_UNAVAILABLE` */
export async function startSandboxd(
  argv: readonly string[],
  logFile: string,
  signal: AbortSignal,
): Promise<{ readonly bootId: string; readonly sandboxd: ProcessName }> {
  const log = openSync(logFile, 'a', 0o600);
  const child = spawn(argv[0]!, argv.slice(1), {
    detached: true,
    cwd: '/',
    env: { PATH: programPath },
    stdio: ['ignore', 'pipe', log],
  });
  closeSync(log);
  try {
    const bootId = await new Promise<string>((resolve, reject) => {
      let said = '';
      child.once('error', reject);
      child.once('exit', (code) =>
        reject(new Error(`sandboxd ended with ${code}: ${readLog(logFile).slice(0, 2000)}`)),
      );
      signal.addEventListener('abort', () => reject(signal.reason), { once: true });
      child.stdout!.on('data', (chunk: Buffer) => {
        said += chunk.toString('utf8');
        if (said.includes('\n')) resolve((JSON.parse(said.split('\n')[0]!) as { bootId: string }).bootId);
      });
    });
    const name = nameProcess(child.pid!);
    if (name === null) throw new Error('sandboxd ended at once');
    child.removeAllListeners('exit');
    child.stdout!.destroy();
    child.unref();
    return { bootId, sandboxd: name };
  } catch (error) {
    child.kill('SIGKILL');
    signal.throwIfAborted();
    throw new BerthError('SANDBOX_UNAVAILABLE', 'The sandbox could not be started.', { cause: error });
  }
}

/** What sandboxd said, or nothing when that was taken away with the rest. */
export function readLog(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
