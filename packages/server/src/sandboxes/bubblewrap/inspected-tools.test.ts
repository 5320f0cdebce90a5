import { execFileSync } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { EgressDecision, EgressRule } from '../../domain/egress.ts';
import type { Sandbox } from '../../domain/ports/sandbox.ts';
import { defaultRefusedRanges } from '../../egress/index.ts';
import { bubblewrapIsMissing, testDriver } from '../../testing/bubblewrap.ts';
import { execRequest, runToEnd } from '../../testing/exec-helper.ts';
import { fakeSpec } from '../../testing/fake-sandbox.ts';
import { brokerOf, http1Server, listening, serverCertificate } from '../../testing/inspected-door.ts';

const has = (program: string, ...args: readonly string[]): boolean => {
  try {
    execFileSync(program, args, { stdio: 'ignore', cwd: '/' });
    return true;
  } catch {
    return false;
  }
};

const asked: string[] = [];
const server = http1Server((request, response) => {
  const path = request.url ?? '';
  asked.push(`${request.method} ${path} ${request.headers.authorization ?? ''}`);
  const commit = '1'.repeat(40);
  if (path.startsWith('/repo.git/info/refs')) response.end(`${commit}\trefs/heads/main\n`);
  else if (path === '/repo.git/HEAD') response.end('ref: refs/heads/main\n');
  else if (path.startsWith('/go/')) response.end('v1.2.3\n');
  else if (path.startsWith('/npm/')) {
    response.setHeader('content-type', 'application/json');
    const version = { name: 'some-package', version: '1.2.3', dist: { tarball: 'https://x.example/x.tgz' } };
    response.end(
      JSON.stringify({
        name: 'some-package',
        'dist-tags': { latest: '1.2.3' },
        versions: { '1.2.3': version },
      }),
    );
  } else if (path === '/index/config.json') {
    response.end(
      JSON.stringify({ dl: `https://${request.headers.host}/dl`, api: `https://${request.headers.host}` }),
    );
  } else if (path.startsWith('/index/')) {
    response.end(
      `${JSON.stringify({ name: 'some-crate', vers: '1.2.3', deps: [], cksum: '0'.repeat(64), features: {}, yanked: false })}\n`,
    );
  } else if (path.startsWith('/simple/')) {
    response.setHeader('content-type', 'text/html');
    response.end('<!DOCTYPE html><html><body></body></html>');
  } else response.end(`fine ${path}`);
});

describe.skipIf(bubblewrapIsMissing)(
  'tools in a sandbox whose way out is read (bwrap is not installed)',
  () => {
    let sandbox: Sandbox;
    let at = '';
    let stop: () => Promise<void>;
    const decided: EgressDecision[] = [];
    beforeAll(async () => {
      const port = await listening(server);
      at = `https://allowed.example:${port}`;
      const rules: EgressRule[] = [{ host: 'allowed.example', ports: [port], contents: 'inspect' }];
      const { driver, cleanUp } = testDriver({
        egress: {
          refusedRanges: defaultRefusedRanges.filter((range) => range !== '127.0.0.0/8'),
          resolve: async () => ['127.0.0.1'],
          proxyEnv: {},
          trusted: [serverCertificate.cert],
        },
        ecosystems: { facts: async () => ({ hosts: () => Promise.resolve([]), env: {} }) },
      });
      stop = cleanUp;
      sandbox = await driver.create(
        fakeSpec({
          id: 'tools-1',
          egress: { rules },
          credentials: brokerOf(
            [
              {
                name: 'registry',
                host: 'allowed.example',
                port,
                paths: ['/brokered'],
                placement: { in: 'header', name: 'Authorization', prefix: 'Bearer ' },
                placeholder: 'placeholder-of-tools',
              },
            ],
            new Map([['registry', 'the-real-value']]),
          ),
        }),
        AbortSignal.timeout(120_000),
      );
      sandbox.onEgress((decision) => decided.push(decision));
    });
    afterAll(async () => {
      await sandbox?.destroy();
      await stop?.();
    });
    const run = async (script: string): Promise<string> => {
      asked.length = 0;
      const { stdout, stderr } = await runToEnd(sandbox, execRequest(script));
      return `${stdout.toString()}\n${stderr.toString()}`;
    };

    test.skipIf(!has('curl', '--version'))('curl (not installed)', async () => {
      expect(await run(`curl -sS ${at}/curl`)).toContain('fine /curl');
      // A program without the variables but the proxy's still trusts the system's file.
      expect(await run(`env -i https_proxy=$https_proxy curl -sS ${at}/bare`)).toContain('fine /bare');
      expect(await run(`curl -sS --socks5-hostname 127.0.0.1:3128 --noproxy '' ${at}/socks`)).toContain(
        'fine /socks',
      );
    });
    test.skipIf(!has('curl', '--version'))(
      'a brokered value reaches the server and not the sandbox (curl is not installed)',
      async () => {
        await run(`curl -sS -H 'Authorization: Bearer placeholder-of-tools' ${at}/brokered`);
        expect(asked).toEqual(['GET /brokered Bearer the-real-value']);
        expect(await run('env; cat /proc/*/environ | tr "\\0" "\\n"')).not.toContain('the-real-value');
      },
    );
    test.skipIf(!has('git', '--version'))('git (not installed)', async () => {
      expect(await run(`git ls-remote ${at}/repo.git`)).toContain('refs/heads/main');
    });
    test('the fetch of Node 24', async () => {
      expect(
        await run(`/opt/berth/runner/node -e "fetch('${at}/node').then((r) => r.text()).then(console.log)"`),
      ).toContain('fine /node');
    });
    test.skipIf(!has('npm', '--version'))('npm (not installed)', async () => {
      expect(await run(`npm view some-package version --registry ${at}/npm/`)).toContain('1.2.3');
    });
    test.skipIf(!has('python3', '--version'))("Python's urllib (not installed)", async () => {
      const script = `import urllib.request as u; print(u.urlopen('${at}/python').read())`;
      expect(await run(`python3 -c "${script}"`)).toContain('fine /python');
    });
    test.skipIf(!has('python3', '-m', 'pip', '--version'))('pip (not installed)', async () => {
      const said = await run(`python3 -m pip download --no-deps --index-url ${at}/simple/ some-package`);
      expect(`${asked[0]} ${said}`).toContain('GET /simple/some-package/');
    });
    test.skipIf(!has('go', 'version'))('go (not installed)', async () => {
      expect(
        await run(
          `GOPROXY=${at}/go GONOSUMDB='*' GOFLAGS=-mod=mod go list -m -versions example.org/some/module`,
        ),
      ).toContain('v1.2.3');
    });
    test.skipIf(!has('cargo', '--version'))('cargo (not installed)', async () => {
      const said = await run(
        `mkdir -p crate/src && cd crate && touch src/lib.rs && printf '[package]\\nname="a"\\nversion="0.1.0"\\n[dependencies]\\nsome-crate={version="1",registry="mine"}\\n' > Cargo.toml && CARGO_REGISTRIES_MINE_INDEX=sparse+${at}/index/ cargo generate-lockfile && cat Cargo.lock`,
      );
      expect(said).toContain('name = "some-crate"');
    });
    test.skipIf(!has('javac', '-version'))('Java (no JDK is installed)', async () => {
      const program = `import java.net.*; public class Fetch { public static void main(String[] a) throws Exception { System.out.println(new String(new URL(a[0]).openStream().readAllBytes())); } }`;
      expect(await run(`printf '%s' '${program}' > Fetch.java && java Fetch.java ${at}/java`)).toContain(
        'fine /java',
      );
    });
    test('the decisions say that contents were read', async () => {
      await expect.poll(() => decided.map(({ contents }) => contents)).toContain('inspect');
    });
  },
);
