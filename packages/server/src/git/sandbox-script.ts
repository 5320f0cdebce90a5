import { BerthError } from '../domain/errors/index.ts';
import type { ErrorCode } from '../domain/errors/index.ts';
import type { Sandbox } from '../domain/ports/sandbox.ts';

/**
 * Git settings for Berth's own scripts inside a sandbox: no configuration but the repository's own, and that
 * without filters, hooks, monitors or prompts. Given in the environment, so they hold for every git call.
 */
export function scriptEnvironment(): Record<string, string> {
  const settings: ReadonlyArray<readonly [string, string]> = [
    ['safe.directory', '*'],
    ['core.hooksPath', '/dev/null'],
    ['core.fsmonitor', 'false'],
    ['core.untrackedCache', 'false'],
    ['core.attributesFile', '/dev/null'],
    ['core.excludesFile', '/dev/null'],
    ['core.autocrlf', 'false'],
    ['core.safecrlf', 'false'],
    ['core.symlinks', 'true'],
    ['core.fileMode', 'true'],
    ['core.ignoreCase', 'false'],
    ['core.precomposeUnicode', 'false'],
    ['core.protectNTFS', 'false'],
    ['core.protectHFS', 'false'],
    ['core.splitIndex', 'false'],
    ['core.sparseCheckout', 'false'],
    ['core.compression', '1'],
    ['index.threads', '1'],
    ['pack.threads', '2'],
    ['gc.auto', '0'],
    ['maintenance.auto', 'false'],
    ['submodule.recurse', 'false'],
    ['diff.external', ''],
    ['protocol.allow', 'never'],
  ];
  const environment: Record<string, string> = {
    LC_ALL: 'C',
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_CONFIG_GLOBAL: '/dev/null',
    GIT_ATTR_NOSYSTEM: '1',
    GIT_NO_REPLACE_OBJECTS: '1',
    GIT_NO_LAZY_FETCH: '1',
    GIT_OPTIONAL_LOCKS: '0',
    GIT_TERMINAL_PROMPT: '0',
    GIT_CONFIG_COUNT: String(settings.length),
  };
  settings.forEach(([key, value], at) => {
    environment[`GIT_CONFIG_KEY_${at}`] = key;
    environment[`GIT_CONFIG_VALUE_${at}`] = value;
  });
  return environment;
}

/**
 * Attributes that make git store and write bytes as they are. `$GIT_DIR/info/attributes` wins over every
 * `.gitattributes` file.
 */
export const rawAttributes = '* -text -ident -filter -working-tree-encoding';

/** A constant script with its data as positional arguments; never build it from data. */
export interface SandboxScript {
  /** The call's id. */
  readonly id: string;
  readonly script: string;
  readonly args: readonly string[];
  /** Relative to `/workspace`. */
  readonly cwd: string;
  readonly stdin?: Uint8Array;
  readonly timeoutMs: number;
  readonly maxOutputBytes: number;
  readonly signal: AbortSignal;
  readonly failure: { readonly code: ErrorCode; readonly tooLarge: ErrorCode };
}

/**
 * Where an image brings programs of its own, Berth's scripts take shell and programs of the tools directory: busybox has other
 * options, and a small image has no `tar`. Elsewhere there is no such directory.
 */
const runScript = `
if [ -x /opt/berth/own/sh ]; then
  PATH=/opt/berth/own:$PATH
  exec /opt/berth/own/sh -c "$0" berth "$@"
fi
exec sh -c "$0" berth "$@"
`;

/**
 * Runs one of Berth's own scripts in the sandbox and answers its output. What comes back is hostile data.
 *
 * @throws BerthError with the given codes, `SANDBOX_DISK_FULL`, or `SANDBOX_LOST`
 */
export async function runInSandbox(
  sandbox: Sandbox,
  request: SandboxScript,
): Promise<{ readonly stdout: Buffer; readonly stderr: string }> {
  const stdout: Uint8Array[] = [];
  const stderr: Uint8Array[] = [];
  let bytes = 0;
  let stderrBytes = 0;
  const stop = new AbortController();
  const tooLarge = new BerthError(request.failure.tooLarge);
  const result = await sandbox
    .exec(
      {
        id: request.id,
        command: { argv: ['sh', '-c', runScript, request.script, ...request.args] },
        cwd: request.cwd,
        env: scriptEnvironment(),
        ...(request.stdin === undefined ? {} : { stdin: request.stdin }),
        timeoutMs: request.timeoutMs,
        maxOutputBytes: request.maxOutputBytes + 1024 * 1024,
        overflow: 'block',
      },
      {
        signal: AbortSignal.any([request.signal, stop.signal]),
        onOutput: (chunk) => {
          if (chunk.stream === 'stderr') {
            stderrBytes += chunk.data.length;
            if (stderrBytes <= 262_144) stderr.push(chunk.data);
          } else {
            bytes += chunk.data.length;
            if (bytes > request.maxOutputBytes) stop.abort(tooLarge);
            else stdout.push(chunk.data);
          }
        },
      },
    )
    .catch(async (error: unknown) => {
      await sandbox.kill(request.id, 'SIGKILL').catch(() => undefined);
      throw error;
    });
  if (bytes > request.maxOutputBytes) throw tooLarge;
  const said = Buffer.concat(stderr).toString('utf8');
  if (result.kind === 'lost') throw new BerthError('SANDBOX_LOST');
  await sandbox.forget(request.id).catch(() => undefined);
  if (result.exitCode !== 0) {
    const isFull = /No space left on device|Disk quota exceeded/.test(said);
    throw new BerthError(isFull ? 'SANDBOX_DISK_FULL' : request.failure.code, undefined, {
      details: {
        exitCode: result.exitCode,
        signal: result.signal,
        timedOut: result.timedOut,
        outOfMemory: result.outOfMemory,
        said: said.slice(-4_000),
      },
    });
  }
  return { stdout: Buffer.concat(stdout), stderr: said };
}
