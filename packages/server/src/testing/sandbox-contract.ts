import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ExecResult, Sandbox, SandboxDriver, SandboxSpec } from '../domain/ports/sandbox.ts';
import { execRequest, runToEnd, startCall } from './exec-helper.ts';
import { fileContract } from './sandbox-file-contract.ts';
import { quickestMs } from './quickest.ts';
import { terminalContract } from './sandbox-terminal-contract.ts';

/** What the suite needs of an adapter. */
export interface SandboxContractSubject {
  readonly driver: SandboxDriver;
  /** A new spec; `epoch` grows with every attach. */
  readonly spec: () => SandboxSpec;
  readonly cleanUp: () => Promise<void>;
}

/** Sleeps that only this run of the suite has: the fake shares the machine with other suites. */
const sleepOf = (place: number): string => String(1_000_000 + (process.pid % 100_000) * 10 + place);

const exited = (exitCode: number): Partial<ExecResult> => ({
  kind: 'exited',
  exitCode,
  signal: null,
  timedOut: false,
});

/** Living processes inside whose command line has the text, counted by the sandbox itself. */
async function alive(sandbox: Sandbox, text: string): Promise<number> {
  const script = `n=0; for f in /proc/[0-9]*/cmdline; do
    if tr '\\0' ' ' <"$f" 2>/dev/null | grep -q -- "^[^ ]*sleep $MARK"; then n=$((n + 1)); fi
  done; echo $n`;
  const { stdout } = await runToEnd(sandbox, execRequest(script, { env: { MARK: text } }));
  return Number(stdout.toString());
}

/** The contract of `Sandbox.exec` and its companions: the same for the fake and for every real driver. */
export function sandboxContract(title: string, make: () => Promise<SandboxContractSubject>): void {
  describe(`${title}: the sandbox contract`, () => {
    let subject: SandboxContractSubject;
    let sandbox: Sandbox;
    let spec: SandboxSpec;

    beforeAll(async () => {
      subject = await make();
      spec = subject.spec();
      sandbox = await subject.driver.create(spec, AbortSignal.timeout(120_000));
    });

    afterAll(async () => {
      await sandbox?.destroy();
      await subject?.cleanUp();
    });

    /** The same sandbox as its next owner sees it. */
    const takeOver = async (): Promise<Sandbox> => {
      spec = { ...spec, epoch: spec.epoch + 1 };
      const next = await subject.driver.attach(sandbox.ref, spec, AbortSignal.timeout(120_000));
      expect(next).not.toBeNull();
      return next!;
    };

    describe('commands', () => {
      test('keep standard output and standard error apart and tell the exit code', async () => {
        const ran = await runToEnd(sandbox, execRequest('echo out; echo err >&2; exit 3'));
        expect([ran.stdout.toString(), ran.stderr.toString()]).toEqual(['out\n', 'err\n']);
        expect(ran.result).toMatchObject({ ...exited(3), truncated: false, outOfMemory: false });
      });

      test('given as arguments reach the program unchanged, without a shell', async () => {
        const words = ['a b', '$HOME', '"', "'", '\\', '*', ';id', 'ü', '', '-n', 'line\nbreak'];
        const ran = await runToEnd(sandbox, execRequest(['printf', '%s|', ...words]));
        expect(ran.stdout.toString()).toBe(words.map((word) => `${word}|`).join(''));
      });

      test('given as a script of 300 KiB run whole', async () => {
        const script = `${': x\n'.repeat(75_000)}echo end`;
        expect((await runToEnd(sandbox, execRequest(script))).stdout.toString()).toBe('end\n');
      });

      test('that do not exist end with 127, as in a shell', async () => {
        const ran = await runToEnd(sandbox, execRequest(['no-such-program']));
        expect(ran.result).toMatchObject(exited(127));
        expect(ran.stderr.toString()).toContain('no-such-program');
      });

      test('in a directory that does not exist are refused with a code', async () => {
        const request = execRequest('true', { cwd: '/workspace/nowhere' });
        await expect(runToEnd(sandbox, request)).rejects.toMatchObject({ code: 'EXEC_REFUSED' });
      });

      test('run in the directory they ask for, with their own environment on top of a clean one', async () => {
        await runToEnd(sandbox, execRequest('mkdir -p sub/dir'));
        const request = execRequest('pwd | grep -o "[^/]*/[^/]*$"; echo "$GREETING" "$USER_SECRET"', {
          cwd: 'sub/dir',
          env: { GREETING: 'grüß "dich"' },
        });
        process.env['USER_SECRET'] = 'canary';
        const ran = await runToEnd(sandbox, request);
        delete process.env['USER_SECRET'];
        expect(ran.stdout.toString()).toBe('sub/dir\ngrüß "dich" \n');
      });

      test('print bytes that are no text, unchanged', async () => {
        const ran = await runToEnd(sandbox, execRequest(`printf '\\377\\000\\200\\n'`));
        expect([...ran.stdout]).toEqual([255, 0, 128, 10]);
      });

      test('can open /dev/stdout, /dev/stderr and /dev/stdin', async () => {
        const request = execRequest('cat /dev/stdin >/dev/stdout; echo e >/dev/stderr', {
          stdin: Buffer.from('in'),
        });
        const ran = await runToEnd(sandbox, request);
        expect([ran.stdout.toString(), ran.stderr.toString()]).toEqual(['in', 'e\n']);
      });

      test('killed by a signal tell its name', async () => {
        const ran = await runToEnd(sandbox, execRequest('kill -TERM $$'));
        expect(ran.result).toMatchObject({
          kind: 'exited',
          exitCode: null,
          signal: 'SIGTERM',
          timedOut: false,
        });
      });

      test('that exit while a background process holds their output are finished, and it lives on', async () => {
        const ran = await runToEnd(sandbox, execRequest(`sleep ${sleepOf(1)} & echo started`));
        expect(ran.result).toMatchObject(exited(0));
        expect(ran.stdout.toString()).toBe('started\n');
        expect(await alive(sandbox, sleepOf(1))).toBe(1);
        const [call] = (await sandbox.calls()).slice(-2);
        expect(call!.running).toBe(false);
        await sandbox.kill(call!.id, 'SIGKILL');
        expect(await alive(sandbox, sleepOf(1))).toBe(0);
      });
    });

    describe('standard input', () => {
      test('is empty unless given', async () => {
        expect((await runToEnd(sandbox, execRequest('wc -c'))).stdout.toString().trim()).toBe('0');
      });

      test('of 3 MiB arrives whole and ends', async () => {
        const stdin = Buffer.alloc(3 * 1024 * 1024, 'berth ');
        const ran = await runToEnd(sandbox, execRequest('sha256sum', { stdin }));
        expect(ran.stdout.toString()).toContain(createHash('sha256').update(stdin).digest('hex'));
      });

      test('left open is typed piece by piece until it is closed', async () => {
        const request = execRequest('while read -r line; do echo "<$line>"; done; echo over', {
          stdin: 'open',
        });
        const call = startCall(sandbox, request);
        await sandbox.writeStdin(request.id, Buffer.from('one\n'));
        await call.printed('<one>');
        await sandbox.writeStdin(request.id, Buffer.from('two\n'));
        await call.printed('<two>');
        await sandbox.writeStdin(request.id, null);
        expect(await call.done).toMatchObject(exited(0));
        expect(call.output()).toBe('<one>\n<two>\nover\n');
      });

      test('that the command does not read is no failure', async () => {
        const ran = await runToEnd(sandbox, execRequest('exit 4', { stdin: Buffer.alloc(1024 * 1024) }));
        expect(ran.result).toMatchObject(exited(4));
      });
    });

    describe('ending a command', () => {
      // The last one leaves the session and loses its parent; both trap SIGTERM.
      const stubborn = (mark: string): string =>
        `trap '' TERM; setsid sh -c 'trap "" TERM; (setsid sleep ${mark} &) ; sleep ${mark}' & ` +
        `(sleep ${mark} &); echo up; sleep ${mark}`;

      test('ends its whole tree at the time-out, children in sessions of their own too', async () => {
        const ran = await runToEnd(sandbox, execRequest(stubborn(sleepOf(2)), { timeoutMs: 2_500 }));
        expect(ran.result).toMatchObject({ kind: 'exited', timedOut: true });
        expect((ran.result as { durationMs: number }).durationMs).toBeLessThan(15_000);
        expect(await alive(sandbox, sleepOf(2))).toBe(0);
      });

      test('by kill ends its whole tree within two seconds', async () => {
        const took = await quickestMs(2_000, async () => {
          const request = execRequest(stubborn(sleepOf(3)));
          const call = startCall(sandbox, request);
          await call.printed('up');
          const startedMs = performance.now();
          await sandbox.kill(request.id);
          expect(await call.done).toMatchObject({ kind: 'exited', signal: 'SIGKILL', timedOut: false });
          const ms = performance.now() - startedMs;
          expect(await alive(sandbox, sleepOf(3))).toBe(0);
          return ms;
        });
        expect(took).toBeLessThan(2_000);
      });

      test('by SIGTERM lets it end in its own way', async () => {
        const request = execRequest(`trap 'echo bye; exit 9' TERM; echo up; while :; do sleep 0.05; done`);
        const call = startCall(sandbox, request);
        await call.printed('up');
        await sandbox.kill(request.id, 'SIGTERM');
        expect(await call.done).toMatchObject({ kind: 'exited', exitCode: 9 });
        expect(call.output()).toContain('bye');
      });

      test('that is unknown or over is fine', async () => {
        await expect(sandbox.kill('never-started')).resolves.toBeUndefined();
      });

      test('stops watching at an abort and leaves the command alone', async () => {
        const abort = new AbortController();
        const request = execRequest('echo up; read -r go; echo went', { stdin: 'open' });
        const watched = runToEnd(sandbox, request, {
          signal: abort.signal,
          onChunk: () => abort.abort(new Error('enough')),
        });
        await expect(watched).rejects.toThrow('enough');
        await sandbox.writeStdin(request.id, Buffer.from('go\n'));
        const again = await runToEnd(sandbox, request);
        expect(again.stdout.toString()).toBe('up\nwent\n');
      });
    });

    describe('output', () => {
      test('over its maximum is cut, said so, and the command goes on', async () => {
        const request = execRequest('head -c 3000000 /dev/zero; echo done >&2; exit 5', {
          maxOutputBytes: 100_000,
        });
        const ran = await runToEnd(sandbox, request);
        expect(ran.result).toMatchObject({ ...exited(5), truncated: true });
        expect(ran.stdout.length + ran.stderr.length).toBe(100_000);
      });

      test('of 200 MiB passes a slow reader whole, with memory bounded on both sides', async () => {
        const request = execRequest('head -c 209715200 /dev/zero', {
          maxOutputBytes: 8 * 1024 * 1024,
          overflow: 'block',
          timeoutMs: 120_000,
        });
        let bytes = 0;
        let chunks = 0;
        let highest = 0;
        const before = process.memoryUsage.rss();
        const result = await sandbox.exec(request, {
          signal: AbortSignal.timeout(120_000),
          onOutput: async (chunk) => {
            bytes += chunk.data.length;
            chunks += 1;
            if (chunks % 64 === 0) {
              highest = Math.max(highest, process.memoryUsage.rss());
              await new Promise((resolve) => setTimeout(resolve, 5));
            }
          },
        });
        expect(result).toMatchObject({ ...exited(0), truncated: false });
        expect(bytes).toBe(209_715_200);
        expect(highest - before).toBeLessThan(128 * 1024 * 1024);
      }, 120_000);

      test('has offsets that go on without a gap and from which it can be read again', async () => {
        const request = execRequest('for i in 1 2 3 4 5; do echo "line $i"; sleep 0.02; done');
        const whole = await runToEnd(sandbox, request);
        let next = 0;
        for (const chunk of whole.chunks) {
          expect(chunk.offset).toBe(next);
          next = chunk.nextOffset;
        }
        const from = whole.chunks[0]!.nextOffset;
        const rest = await runToEnd(sandbox, request, { fromOffset: from });
        expect(rest.stdout).toEqual(whole.stdout.subarray(whole.chunks[0]!.data.length));
        expect(rest.result).toEqual(whole.result);
      });

      test('that is bounded can be read from the beginning again, however often', async () => {
        const request = execRequest('seq 1 400000');
        const [first, second] = [await runToEnd(sandbox, request), await runToEnd(sandbox, request)];
        expect(first.stdout.length).toBeGreaterThan(2_000_000);
        expect(second.stdout.equals(first.stdout)).toBe(true);
      });

      test('of many calls nobody forgets never keeps a new one from being heard whole', async () => {
        for (let call = 0; call < 8; call += 1) {
          const ran = await runToEnd(sandbox, execRequest('head -c 14000000 /dev/zero'));
          expect([ran.stdout.length, ran.result]).toMatchObject([14_000_000, { truncated: false }]);
        }
      }, 60_000);

      test('that was acknowledged and given up is said to be gone', async () => {
        const request = execRequest('head -c 2000000 /dev/zero', { overflow: 'block' });
        await runToEnd(sandbox, request);
        await expect(runToEnd(sandbox, request)).rejects.toMatchObject({ code: 'EXEC_OUTPUT_GONE' });
      });
    });

    describe('exactly once', () => {
      test('five simultaneous starts with one id have one effect and all see it', async () => {
        const request = execRequest('echo x >>effects; sleep 0.1; wc -l <effects');
        const all = await Promise.all(Array.from({ length: 5 }, () => runToEnd(sandbox, request)));
        expect(all.map((ran) => ran.stdout.toString().trim())).toEqual(['1', '1', '1', '1', '1']);
      });

      test('an id with another command is refused', async () => {
        const request = execRequest('echo one');
        await runToEnd(sandbox, request);
        const other = { ...request, command: { script: 'echo two' } };
        await expect(runToEnd(sandbox, other)).rejects.toMatchObject({ code: 'EXEC_ID_REUSED' });
      });

      test('calls are remembered until they are forgotten', async () => {
        const request = execRequest('true');
        await runToEnd(sandbox, request);
        expect(await sandbox.calls()).toContainEqual({ id: request.id, running: false });
        await sandbox.forget(request.id);
        expect((await sandbox.calls()).map((call) => call.id)).not.toContain(request.id);
      });

      test('a command outlives its owner: the next one reads byte for byte what is missing', async () => {
        const script =
          'i=0; while [ $i -lt 3000 ]; do echo "$i some words of output"; i=$((i + 1)); done; echo over';
        const request = execRequest(script);
        const expected =
          Array.from({ length: 3000 }, (_, index) => `${index} some words of output\n`).join('') + 'over\n';
        let got = '';
        let offset = 0;
        for (let owner = 0; ; owner += 1) {
          const seenBefore = got.length;
          let letGo = false;
          const result = await sandbox.exec(request, {
            signal: AbortSignal.timeout(120_000),
            fromOffset: offset,
            onOutput: async (chunk) => {
              // What was already on its way when the owner died never reached the log.
              if (letGo) return;
              got += Buffer.from(chunk.data).toString();
              offset = chunk.nextOffset;
              if (owner >= 4 || got.length - seenBefore < 5_000) return;
              letGo = true;
              await sandbox.detach();
            },
          });
          if (letGo) sandbox = await takeOver();
          else expect(result).toMatchObject(exited(0));
          if (!letGo) break;
        }
        expect(got).toBe(expected);
      });

      test('a new owner ends the channel of the old one, and an old one is refused', async () => {
        const old = sandbox;
        const oldSpec = spec;
        sandbox = await takeOver();
        expect(await old.lost).toMatchObject({ code: 'SANDBOX_TAKEN_OVER' });
        const late = subject.driver.attach(sandbox.ref, oldSpec, AbortSignal.timeout(120_000));
        await expect(late).rejects.toMatchObject({ code: 'SANDBOX_TAKEN_OVER' });
      });
    });

    describe('the runner', () => {
      test('killed by a command: its calls end as lost, the next one runs, what it left is killed', async () => {
        const other = startCall(sandbox, execRequest(`echo up; sleep ${sleepOf(4)}`));
        await other.printed('up');
        const killer = await runToEnd(sandbox, execRequest(`kill -9 $PPID; sleep ${sleepOf(4)}`));
        expect(killer.result).toEqual({ kind: 'lost', what: 'runner' });
        expect(await other.done).toEqual({ kind: 'lost', what: 'runner' });
        expect((await runToEnd(sandbox, execRequest('echo again'))).stdout.toString()).toBe('again\n');
        expect(await alive(sandbox, sleepOf(4))).toBe(0);
      });
    });

    test('the door for outgoing traffic answers on loopback inside', async () => {
      const script = `port=\${HTTP_PROXY##*:}; exec 3<>"/dev/tcp/127.0.0.1/$port"
        printf 'CONNECT nowhere.invalid:443 HTTP/1.1\\r\\nHost: nowhere.invalid:443\\r\\n\\r\\n' >&3
        head -n 1 <&3`;
      const ran = await runToEnd(sandbox, execRequest(['bash', '-c', script]));
      expect(ran.stderr.toString()).toBe('');
      expect(ran.stdout.toString()).toMatch(/^HTTP\/1\.1 403/);
    });

    test('stats tell disk, memory and processes', async () => {
      const stats = await sandbox.stats();
      expect(stats.memoryBytes).toBeGreaterThan(1024 * 1024);
      expect(stats.processes).toBeGreaterThan(0);
      expect(stats.diskLimitBytes).toBe(spec.limits.diskBytes);
    });

    fileContract(() => sandbox);
    terminalContract(() => sandbox);
  });
}
