import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Sandbox } from '../packages/server/src/domain/ports/sandbox.ts';
import { isAlive, type ProcessName } from '../packages/server/src/sandboxes/local/processes.ts';
import { filterArchitecture } from '../packages/server/src/sandboxes/bubblewrap/seccomp.ts';
import { refused } from '../packages/server/src/sandboxes/bubblewrap/syscalls.ts';
import { bubblewrapIsMissing, testDriver } from '../packages/server/src/testing/bubblewrap.ts';
import { execRequest, runToEnd } from '../packages/server/src/testing/exec-helper.ts';
import { fakeSpec } from '../packages/server/src/testing/fake-sandbox.ts';
import { inside } from './isolation/harness.ts';

const mebibyte = 2 ** 20;
const isRoot = process.getuid?.() === 0;
const limits = {
  memoryBytes: 256 * mebibyte,
  cpus: 2,
  processes: 100,
  openFiles: 256,
  fileBytes: 64 * mebibyte,
  diskBytes: 128 * mebibyte,
};

describe.skipIf(bubblewrapIsMissing)('the host behind a sandbox (bwrap is not installed)', () => {
  const { driver, stateDirectory, cleanUp } = testDriver({ pathVariable: '/usr/local/bin:/usr/bin:/bin' });
  let sandbox: Sandbox;
  let sandboxd: ProcessName;

  beforeAll(async () => {
    const spec = fakeSpec({ limits });
    sandbox = await driver.create(spec, AbortSignal.timeout(120_000));
    const file = join(stateDirectory, 'sandboxes', spec.id, 'place.json');
    sandboxd = (JSON.parse(readFileSync(file, 'utf8')) as { sandboxd: ProcessName }).sandboxd;
  });
  beforeEach(async () => {
    // Whatever the test before did: sandboxd lives, and the next command runs.
    if (!isAlive(sandboxd)) throw new Error('sandboxd is dead');
    const { text } = await inside(sandbox, 'echo fine');
    if (text !== 'fine\n') throw new Error(`the next command printed ${text}`);
  });
  afterAll(cleanUp);

  test('the kernel refuses every system call that the filter names', async () => {
    const architecture = filterArchitecture()!;
    const numbers = Object.entries(refused).flatMap(([name, each]) =>
      each[architecture] === null ? [] : [`${name}=${each[architecture]}`],
    );
    // Without the filter these answer EFAULT, EINVAL, ESRCH or succeed; EPERM for all of them is the filter.
    const program =
      'for (@ARGV) { my ($n, $k) = split /=/; $! = 0; my $r = syscall($k + 0, 0, 0, 0, 0, 0, 0); print "$n ", $! + 0, "\\n" }';
    const ran = await runToEnd(sandbox, execRequest(['perl', '-e', program, ...numbers], { id: 'syscalls' }));
    const wrong = ran.stdout
      .toString()
      .trim()
      .split('\n')
      .filter((line) => !line.endsWith(' 1'));
    expect(wrong).toEqual([]);
    const absent = await inside(
      sandbox,
      `perl -e 'for (425,426,427,435) { $!=0; syscall($_,0,0,0,0,0,0); print $!+0," " }'`,
    );
    expect(absent.text).toBe('38 38 38 38 ');
  });

  test('no namespaces, mounts, capabilities or new privileges', async () => {
    const { text } = await inside(
      sandbox,
      `unshare -U true; unshare -rm true; unshare -n true; mount -t tmpfs none /mnt; mount -o remount,rw /usr; umount /proc; chroot / true
       grep -E '^(CapPrm|CapEff|CapBnd|NoNewPrivs|Seccomp):' /proc/self/status | tr -s '\\t ' ' '`,
    );
    expect(text.match(/(not permitted|denied|superuser|must be)/gi)?.length).toBeGreaterThanOrEqual(7);
    for (const line of [
      'CapPrm: 0000000000000000',
      'CapEff: 0000000000000000',
      'CapBnd: 0000000000000000',
      'NoNewPrivs: 1',
      'Seccomp: 2',
    ]) {
      expect(text).toContain(line);
    }
  });

  test('setuid programs stay what they are', async () => {
    const { text } = await inside(
      sandbox,
      `find /usr/bin /usr/sbin -perm -4000 2>/dev/null | head; su -c id 2>&1; id -u; cp /usr/bin/id /tmp/id; chmod 4755 /tmp/id; /tmp/id -u`,
    );
    expect(text).not.toMatch(/uid=0|euid=0/);
    expect(text.trim().split('\n').slice(-2)).toEqual(['1000', '1000']);
  });

  test('nothing of the host can be written: programs, configuration, kernel settings, devices', async () => {
    const { text } = await inside(
      sandbox,
      `for f in /usr/x /usr/bin/sh /usr/local/x /etc/x /etc/passwd /opt/berth/x /opt/berth/runner/runner.mjs /run/berth/x /x /var/x /home/x /dev/x /proc/sys/kernel/hostname /proc/sys/kernel/core_pattern /proc/sys/vm/drop_caches /proc/sysrq-trigger /proc/sys/net/ipv4/ip_forward; do
         (echo x >>"$f") 2>/dev/null && echo "wrote $f"; done
       rm -f /usr/bin/sh /etc/passwd /opt/berth/bin/rg 2>/dev/null; ls /usr/bin/sh /opt/berth/bin/rg
       mknod /tmp/disk b 254 0 2>&1 | grep -c -i permitted; ls /dev | tr '\\n' ' '; dd if=/proc/kcore of=/dev/null bs=1 count=1 2>&1 | grep -ci -E 'denied|permitted|such'`,
    );
    expect(text).not.toContain('wrote');
    expect(text).toContain(
      '/opt/berth/bin/rg\n/usr/bin/sh\n1\ncore fd full null ptmx pts random shm stderr stdin stdout tty urandom zero 1\n',
    );
  });

  test('other processes of the machine are neither seen nor signalled, and the runner is not traced', async () => {
    const { text } = await inside(
      sandbox,
      `kill -9 ${sandboxd.pid} 2>&1 | grep -c 'No such'; ls -d /proc/[0-9]* | wc -l
       perl -e '$!=0; syscall(${refused['ptrace']![filterArchitecture()!]}, 16, $ARGV[0]+0, 0, 0); print "ptrace ", $!+0, "\\n"' $PPID`,
    );
    const [killed, count, traced] = text.trim().split('\n');
    expect(killed).toBe('1');
    expect(Number(count)).toBeLessThan(15);
    expect(traced).toBe('ptrace 1');
  });

  test('typing into the terminal is refused', async () => {
    const script = `perl -e '$!=0; ioctl(STDIN, 0x5412, my $c = "x"); print "TIOCSTI ", $!+0, "\\n"'`;
    const { text } = await inside(sandbox, script, { pty: { columns: 80, rows: 24 } });
    expect(text).toContain('TIOCSTI 1');
  });

  test('killing everything it can kill ends commands only', async () => {
    const ended = await runToEnd(sandbox, execRequest('kill -9 -1; sleep 60', { id: 'kill-all' }));
    expect(ended.result.kind === 'lost' || ended.result.kind === 'exited').toBe(true);
  });

  test('a fork bomb ends within its time-out', async () => {
    const bomb = await inside(sandbox, 'b() { b | b & b; }; b', { timeoutMs: 3_000 });
    expect(bomb.result.kind).not.toBe('failed');
    const after = await inside(sandbox, 'ls -d /proc/[0-9]* | wc -l', { timeoutMs: 60_000 });
    expect(Number(after.text)).toBeLessThan(20);
  });

  test('a memory bomb ends with its code, in processes and in memory-backed files', async () => {
    const eat = `node -e 'const a = []; for (;;) a.push(Buffer.alloc(16 << 20, 1))'`;
    expect((await inside(sandbox, eat)).result).toMatchObject({
      kind: 'exited',
      signal: 'SIGKILL',
      outOfMemory: true,
    });
    const { text } = await inside(
      sandbox,
      'dd if=/dev/zero of=/dev/shm/x bs=1M count=1000 2>&1 | tail -1; rm -f /dev/shm/x',
    );
    expect(text).not.toContain('1.0 GB');
  });

  test.skipIf(!isRoot)(
    'a full disk is full for it alone, and usable again afterwards (a disk of its own needs root)',
    async () => {
      const { text } = await inside(
        sandbox,
        `i=0; while dd if=/dev/zero of=/workspace/f$i bs=1M count=50 2>&1 | grep -q 'copied' && [ $i -lt 20 ] && [ $(stat -c %s /workspace/f$i) = 52428800 ]; do i=$((i+1)); done; echo "files $i"; (echo x >/tmp/also) 2>&1 | grep -c 'No space'; rm -f /workspace/f*; echo again >/workspace/ok && cat /workspace/ok`,
      );
      expect(text).toMatch(/^files [12]\n[\s\S]*again\n$/);
      await expect(sandbox.write('too-large', Buffer.alloc(200 * mebibyte))).rejects.toMatchObject({
        code: expect.stringMatching(/SANDBOX_DISK_FULL|FILE_REFUSED/),
      });
      await inside(sandbox, 'rm -rf /workspace/* /workspace/.[!.]*');
    },
  );

  test('a disk that is only watched ends the sandbox when it is full', async () => {
    const watching = testDriver({ pathVariable: '/usr/local/bin:/usr/bin:/bin', watchesDisk: true });
    try {
      const other = await watching.driver.create(fakeSpec({ limits }), AbortSignal.timeout(120_000));
      const { result } = await inside(
        other,
        'for i in 1 2 3 4; do dd if=/dev/zero of=f$i bs=1M count=50 2>/dev/null; done; sleep 60',
      );
      expect(result).toEqual({ kind: 'lost', what: 'sandbox' });
      expect(await other.lost).toMatchObject({ code: 'SANDBOX_DISK_FULL' });
    } finally {
      await watching.cleanUp();
    }
  });

  test('one file, and the number of open files, end at their limits', async () => {
    const { text } = await inside(
      sandbox,
      `dd if=/dev/zero of=big bs=1M count=100 2>/dev/null; stat -c %s big; rm big; node -e '
      const fs = require("fs"); let n = 0; try { for (;;) { fs.openSync("/dev/null"); n++ } } catch (e) { console.log(e.code, n < 256) }'; ulimit -Hc -Hn | tr -s ' ' | cut -d' ' -f1-2; ulimit -c unlimited 2>&1 | grep -c -i 'not permitted'`,
    );
    expect(text).toContain(`${64 * mebibyte}\nEMFILE true\n`);
    expect(text).toContain('\n1\n');
  });

  test('a gigabyte of output is cut, and costs neither side its memory', async () => {
    const before = process.memoryUsage.rss();
    const { result, text } = await inside(sandbox, 'head -c 1073741824 /dev/zero', {
      maxOutputBytes: mebibyte,
      timeoutMs: 60_000,
    });
    expect(result).toMatchObject({ kind: 'exited', exitCode: 0, truncated: true });
    expect(text.length).toBe(mebibyte);
    expect(process.memoryUsage.rss() - before).toBeLessThan(150 * mebibyte);
    const kib = Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${sandboxd.pid}/status`, 'utf8'))?.[1]);
    expect(kib).toBeLessThan(200 * 1024);
  });
});
