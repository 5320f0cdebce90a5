import { describe, expect, test } from 'vitest';
import type { Sandbox } from '../domain/ports/sandbox.ts';
import { execRequest, runToEnd, startCall } from './exec-helper.ts';

/** The terminals of the sandbox contract; a sandbox that has none says so with `PTY_UNAVAILABLE`. */
export function terminalContract(sandboxOf: () => Sandbox): void {
  describe('terminals', () => {
    test('a terminal has the size asked for', async () => {
      const request = execRequest('test -t 0 && test -t 1 && stty size; exit 6', {
        pty: { columns: 91, rows: 17 },
      });
      const ran = await runToEnd(sandboxOf(), request).catch((error: unknown) => error);
      if (ran instanceof Error) expect(ran).toMatchObject({ code: 'PTY_UNAVAILABLE' });
      else
        expect(ran).toMatchObject({
          result: { kind: 'exited', exitCode: 6, signal: null, timedOut: false },
          stdout: Buffer.from('17 91\r\n'),
        });
    });

    test('a terminal takes another size while its program runs', async () => {
      const request = execRequest('read -r _; stty size; exit 0', {
        pty: { columns: 80, rows: 24 },
        stdin: 'open',
      });
      const call = startCall(sandboxOf(), request);
      const known = async (): Promise<boolean> =>
        (await sandboxOf().calls()).some((one) => one.id === request.id && one.running);
      await expect.poll(known).toBe(true);
      const resized = await sandboxOf()
        .resize(request.id, 132, 43)
        .catch((error: unknown) => error);
      if (resized instanceof Error) expect(resized).toMatchObject({ code: 'PTY_UNAVAILABLE' });
      await sandboxOf().writeStdin(request.id, Buffer.from('go\n'));
      const ended = await call.done.catch((error: unknown) => error);
      if (ended instanceof Error) expect(ended).toMatchObject({ code: 'PTY_UNAVAILABLE' });
      else if (!(resized instanceof Error)) expect(call.output()).toContain('43 132');
    });
  });
}
