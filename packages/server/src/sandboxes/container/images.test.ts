import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { dirname } from 'node:path';
import { asBerthError } from '../../domain/errors/index.ts';
import type { Sandbox } from '../../domain/ports/sandbox.ts';
import { podmanEnvironment } from '../../testing/podman-engine.ts';
import { importBareImage } from '../../testing/podman-images.ts';
import { execRequest, runToEnd } from '../../testing/exec-helper.ts';
import { fakeSpec } from '../../testing/fake-sandbox.ts';
import { imageProfile, podmanIsMissing, testContainerDriver, testImages } from '../../testing/podman.ts';

describe.skipIf(podmanIsMissing)('images as they are (Podman, busybox-static or root is missing)', () => {
  let subject: Awaited<ReturnType<typeof testContainerDriver>>;
  const sandboxes = new Map<string, Sandbox>();
  beforeAll(async () => {
    subject = await testContainerDriver();
    for (const image of Object.values(testImages)) {
      const spec = fakeSpec({ profile: imageProfile({ image }) });
      sandboxes.set(image, await subject.driver.create(spec, AbortSignal.timeout(120_000)));
    }
  });
  afterAll(() => subject?.cleanUp());

  test('an image without a shell is refused with what to do, and nothing is left', async () => {
    const name = 'localhost/berth-bare:test';
    const root = dirname(subject.engine);
    await importBareImage(name, root, podmanEnvironment(root));
    const spec = fakeSpec({ profile: imageProfile({ image: name }) });
    const refused = await subject.driver
      .create(spec, AbortSignal.timeout(120_000))
      .catch((error: unknown) => error);
    expect(refused).toMatchObject({ code: 'SANDBOX_IMAGE_NO_SHELL' });
    expect(asBerthError(refused).message).toContain(name);
    expect(asBerthError(refused).next).toContain('COPY --from');
    expect((await subject.driver.list()).map(({ id }) => id)).not.toContain(spec.id);
  });

  /** The words after a shell's name take the script as their last argument. */
  const shells = {
    [testImages.debian]: [
      ['/bin/sh', '-c'],
      ['/bin/sh', '-lc'],
      ['/bin/bash', '-c'],
      ['/bin/bash', '-lc'],
      ['/bin/bash', '-ic'],
      ['/bin/bash', '-ilc'],
    ],
    [testImages.busybox]: [
      ['/bin/sh', '-c'],
      ['/bin/sh', '-lc'],
      ['/bin/sh', '-ic'],
      ['/bin/sh', '-ilc'],
    ],
  };

  test.each(Object.entries(shells).flatMap(([image, all]) => all.map((shell) => ({ image, shell }))))(
    '$image: $shell finds the tools, last on PATH',
    async ({ image, shell }) => {
      const script = 'echo "path $PATH"; node -p "1 + 1"; rg --version | head -n 1; git --version';
      const { stdout } = await runToEnd(sandboxes.get(image)!, execRequest([...shell, script]));
      expect(stdout.toString()).toMatch(
        /^path \/home\/agent\/\.local\/bin:\/usr\/local\/bin:\/usr\/bin:\/bin:\/opt\/berth\/bin\n[^]*2\nripgrep .*\ngit version .*\n$/,
      );
    },
  );

  test.each(Object.values(testImages))('%s: a repository is made, changed and cloned', async (image) => {
    const script = `set -e; git init -q -b main a; cd a; git config user.email a@b; git config user.name a
      echo one >file; git add .; git commit -qm one; cd ..; git clone -q file://$PWD/a b; git -C b log --format=%s
      node -e 'console.log(require("child_process").execFileSync(process.execPath, ["-p", "6 * 7"]).toString())'
      printf needle >b/hay; rg -l needle b; id -un; echo $HOME`;
    const { stdout, stderr } = await runToEnd(sandboxes.get(image)!, execRequest(script));
    expect([stderr.toString(), stdout.toString()]).toEqual(['', 'one\n42\n\nb/hay\nagent\n/home/agent\n']);
  });

  test.each(Object.values(testImages))('%s: nothing but its own places can be written', async (image) => {
    const script = `for d in / /etc /usr /bin /opt /opt/berth /opt/berth/bin /run/berth /proc/sys /sys; do
      (: >$d/x) 2>/dev/null && echo "wrote $d"; done; for d in . $HOME /tmp /var/tmp /dev/shm; do : >$d/x || echo "no $d"; done`;
    const { stdout } = await runToEnd(sandboxes.get(image)!, execRequest(script));
    expect(stdout.toString()).toBe('');
  });

  test('a terminal is there also where the image has no program for one', async () => {
    const request = execRequest('test -t 0 && stty size', { pty: { columns: 91, rows: 17 } });
    const { stdout } = await runToEnd(sandboxes.get(testImages.busybox)!, request);
    expect(stdout.toString()).toBe('17 91\r\n');
  });
});
