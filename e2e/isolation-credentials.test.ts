import { readFileSync, readlinkSync, readdirSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Sandbox } from '../packages/server/src/domain/ports/sandbox.ts';
import { askDoor, canary, inside, nodeInside, startWorker } from './isolation/harness.ts';
import { canReadMemory, sandboxProcesses, scanFiles, scanHost } from './isolation/host-scan.ts';
import { onEveryDriver, type Subject } from './isolation/subjects.ts';

/** Each prints a line for every place where it finds `$CANARY_PARTS`, put together only inside the scanner. */
const scanners = {
  environment: 'env | grep -F "$needle"',
  'environment of every process': `for f in /proc/[0-9]*/environ; do tr '\\0' '\\n' <"$f" 2>/dev/null | grep -F "$needle" | sed "s|^|$f |"; done`,
  'command line of every process': `for f in /proc/[0-9]*/cmdline; do tr '\\0' ' ' <"$f" 2>/dev/null | grep -F "$needle"; done | grep -v needle=`,
  files:
    'grep -rlsF -- "$needle" /etc /home /root /opt/berth /run /var /tmp /workspace /dev/shm /mnt /media /srv /boot /usr/etc /usr/local/etc $HOME 2>/dev/null',
  'names of files': `find / \\( -path /proc -o -path /usr \\) -prune -o \\( -name .npmrc -o -name .netrc -o -name 'id_ed25519*' -o -name 'id_rsa*' -o -name credentials.toml -o -path '*/.aws/credentials' -o -path '*/.docker/config.json' -o -name hosts.yml \\) -print 2>/dev/null`,
  descriptors:
    'for f in /proc/[0-9]*/fd/*; do case "$(readlink "$f")" in *secret*) echo "$f" ;; esac; [ -f "$f" ] && head -c 4096 "$f" 2>/dev/null | grep -aqF "$needle" && echo "$f"; done',
} as const;

/** The needle is put together inside, so that the scanner does not find its own command. */
function scan(sandbox: Sandbox, name: keyof typeof scanners): Promise<{ text: string }> {
  const half = Math.floor(canary.length / 2);
  const script = `needle="${canary.slice(0, half)}""${canary.slice(half)}"\n${scanners[name]}\ntrue`;
  return inside(sandbox, script, { timeoutMs: 60_000 });
}

onEveryDriver('credentials', ({ name: kind, make }) => {
  let subject: Subject;
  let sandbox: Sandbox;
  let exposed: Sandbox;
  let worker: Awaited<ReturnType<typeof startWorker>>;

  beforeAll(async () => {
    subject = await make();
    const spec = subject.spec();
    worker = await startWorker(subject, spec);
    sandbox = (await subject.driver.attach(worker.ref, { ...spec, epoch: 2 }, AbortSignal.timeout(120_000)))!;
    exposed = await subject.driver.create(
      subject.spec({ env: { FORWARDED: canary } }),
      AbortSignal.timeout(120_000),
    );
    await exposed.write('/workspace/.npmrc', Buffer.from(canary));
    await exposed.write('/workspace/secret', Buffer.from(canary));
  });
  afterAll(async () => {
    worker?.cleanUp();
    await subject?.cleanUp();
  });

  test('the worker itself is full of canaries', () => {
    expect(readFileSync(`/proc/${worker.worker.pid}/environ`, 'latin1')).toContain(canary);
    expect(readFileSync(`/proc/${worker.worker.pid}/fd/5`, 'latin1')).toContain(canary);
    expect(readFileSync(join(worker.home, '.npmrc'), 'utf8')).toContain(canary);
  });

  test.each(Object.keys(scanners) as Array<keyof typeof scanners>)(
    'the scanner of %s finds a planted canary, and none where nothing was forwarded',
    async (name) => {
      const holding = await exposed.exec(
        {
          id: `hold-${name.replaceAll(' ', '-')}`,
          command: { argv: ['sh', '-c', 'exec 7<secret; (exec sleep 60) & echo up', canary] },
          cwd: '/workspace',
          env: {},
          timeoutMs: 60_000,
          maxOutputBytes: 1000,
          overflow: 'truncate',
        },
        { signal: AbortSignal.timeout(120_000) },
      );
      expect(holding.kind).toBe('exited');
      if (name === 'command line of every process') {
        // The planted process is the scanner's own sibling with the canary as an argument.
        const planted = await inside(
          exposed,
          `sh -c 'sleep 30; true' x "$FORWARDED" & sleep 0.2; ${scanners[name].replaceAll('$needle', '$FORWARDED')}; true`,
        );
        expect(planted.text).toContain(canary);
      } else {
        expect((await scan(exposed, name)).text).not.toBe('');
      }
      expect((await scan(sandbox, name)).text).toBe('');
    },
  );

  test.skipIf(!canReadMemory)(
    'looked at from outside, memory, environment and files of a sandbox hold a canary only where it was forwarded (needs root)',
    () => {
      const planted = sandboxProcesses(exposed.ref);
      const found = scanHost(planted, { canary })['canary'];
      expect(new Set(found?.map(({ where }) => where))).toContain('memory');
      expect(new Set(found?.map(({ where }) => where))).toContain('environment');
      expect(scanFiles(planted.at(-1)!, { canary })['canary']).not.toEqual([]);

      const clean = sandboxProcesses(sandbox.ref);
      expect(clean.length).toBeGreaterThan(2);
      expect(scanHost(clean, { canary })).toEqual({ canary: [] });
      expect(scanFiles(clean.at(-1)!, { canary })).toEqual({ canary: [] });
    },
  );

  test.skipIf(kind === 'bubblewrap' && homedir().startsWith('/tmp'))(
    'programs of the home directory can be used where the host has the tools, and nothing beside them is seen (home lies in /tmp)',
    async () => {
      if (kind === 'container') {
        const { text } = await inside(sandbox, `from-home; ls -a "${worker.home}"`);
        return expect(text).toMatch(/from-home: .*not found\n[^]*No such file/);
      }
      const { text } = await inside(sandbox, `from-home; ls -a "${worker.home}" "${worker.home}/.cargo"`);
      expect(text.split('\n').filter((line) => !/^\.{0,2}$/.test(line))).toEqual([
        'from home',
        `${worker.home}:`,
        '.cargo',
        `${worker.home}/.cargo:`,
        'bin',
      ]);
    },
  );

  test('sandboxd, which the worker started, holds none of its secrets either', () => {
    const record = JSON.parse(readFileSync(join(worker.ref.address, 'place.json'), 'utf8')) as {
      sandboxd: { pid: number };
    };
    const { pid } = record.sandboxd;
    expect(readFileSync(`/proc/${pid}/environ`, 'latin1')).not.toContain(canary);
    const open = readdirSync(`/proc/${pid}/fd`).map((name) => readlinkSync(`/proc/${pid}/fd/${name}`));
    expect(open.filter((path) => path.startsWith(worker.home))).toEqual([]);
  });

  test('neither a service account nor a metadata service is there', async () => {
    const { text } = await inside(
      sandbox,
      'ls -d /var/run/secrets /run/secrets /run/docker.sock /var/run/docker.sock /run/containerd /run/podman /run/user 2>/dev/null',
    );
    if (kind === 'bubblewrap') expect((await inside(sandbox, 'ls -d /sys 2>/dev/null')).text).toBe('');
    expect(text).toBe('');
    expect(await nodeInside(sandbox, askDoor, 'http://169.254.169.254/latest/meta-data/')).toMatch(
      /^403 Berth refused this connection: 169\.254\.169\.254/,
    );
  });

  test('the directories above the workspace show nothing of the host', async () => {
    const { text } = await inside(sandbox, 'ls -A /workspace /home /var /mnt /srv /media /boot 2>/dev/null');
    // Where programs of the worker's home are mounted, the name of that home stands above them.
    if (kind === 'container') {
      expect(text).toContain('/home:\nagent\n\n');
      return expect(text).toMatch(/\/var:\ntmp\n\n\/workspace:\n$/);
    }
    const [, top, user] = worker.home.split('/');
    const homes = ['agent', ...(top === 'home' ? [user ?? ''] : [])]
      .toSorted((one, other) => (one < other ? -1 : 1))
      .join('\n');
    expect(text).toBe(`/home:\n${homes}\n\n/var:\ntmp\n\n/workspace:\n`);
  });
});
