import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { BerthError } from '../domain/errors/index.ts';
import type { Sandbox } from '../domain/ports/sandbox.ts';
import { bubblewrapIsMissing, testDriver } from '../testing/bubblewrap.ts';
import { fakeSpec } from '../testing/fake-sandbox.ts';
import { streamIntoSandbox } from './sandbox-stream.ts';

const piece = Buffer.alloc(1024 * 1024, 'x');

describe.skipIf(bubblewrapIsMissing)('what is streamed into a sandbox (with bubblewrap)', () => {
  const { driver, cleanUp } = testDriver();
  let sandbox: Sandbox;
  let calls = 0;
  beforeAll(async () => {
    sandbox = await driver.create(fakeSpec(), AbortSignal.timeout(60_000));
  });
  afterAll(async () => {
    await sandbox?.destroy();
    await cleanUp();
  });

  /**
   * The script has ended before the last piece is sent, and the refusal of that piece arrives before the word of how the
   * script ended: the order in which a busy machine delivers them now and then.
   */
  const streamPastEnd = (script: string): Promise<void> => {
    const ended = Promise.withResolvers<void>();
    const refused = Promise.withResolvers<unknown>();
    const ordered = new Proxy(sandbox, {
      get(target, name) {
        if (name === 'exec') {
          return async (...args: Parameters<Sandbox['exec']>) => {
            const result = await target.exec(...args);
            ended.resolve();
            expect(await refused.promise).toMatchObject({ code: 'EXEC_REFUSED' });
            return result;
          };
        }
        if (name === 'writeStdin') {
          return (...args: Parameters<Sandbox['writeStdin']>) =>
            target.writeStdin(...args).catch((error: unknown) => {
              // Whoever fed it hears of the refusal first.
              setImmediate(() => refused.resolve(error));
              throw error;
            });
        }
        const value: unknown = Reflect.get(target, name, target);
        return typeof value === 'function' ? value.bind(target) : value;
      },
    });
    return streamIntoSandbox(ordered, request(script), pieces(ended.promise));
  };

  const request = (script: string) => ({
    id: `stream-${(calls += 1)}`,
    script,
    args: [],
    cwd: '/workspace',
    timeoutMs: 60_000,
    maxOutputBytes: 100_000,
    signal: AbortSignal.timeout(60_000),
  });

  async function* pieces(beforeLast: Promise<void>): AsyncGenerator<Uint8Array> {
    yield piece;
    await beforeLast;
    yield piece;
  }

  test('a script that ended well before it was given all has ended well', async () => {
    await expect(streamPastEnd('head -c 10 >/dev/null')).resolves.toBeUndefined();
  });

  test('a script that failed before it was given all has failed for its own reason', async () => {
    await expect(streamPastEnd('head -c 10 >/dev/null; exit 3')).rejects.toMatchObject({
      code: 'SNAPSHOT_FAILED',
      message: 'Files that the commit tracks are not as it has them.',
    });
  });

  test('a source that fails ends the script and is what went wrong', async () => {
    const failing = async function* (): AsyncGenerator<Uint8Array> {
      yield Buffer.from('the first of it');
      throw new BerthError('SNAPSHOT_FAILED', 'The stored pieces do not fit.');
    };
    await expect(streamIntoSandbox(sandbox, request('sleep 50'), failing())).rejects.toThrow(
      'The stored pieces do not fit.',
    );
  });

  test('all of it arrives', async () => {
    const all = pieces(Promise.resolve());
    await expect(
      streamIntoSandbox(sandbox, request(`test "$(wc -c)" -eq ${2 * piece.length}`), all),
    ).resolves.toBeUndefined();
  });
});
