import { dirname } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Ecosystem } from '../../egress/matching-rules.ts';
import type { EcosystemSource } from '../../egress/index.ts';
import { execRequest, runToEnd } from '../../testing/exec-helper.ts';
import { fakeSpec } from '../../testing/fake-sandbox.ts';
import { podmanEnvironment } from '../../testing/podman-engine.ts';
import { importExtraImage } from '../../testing/podman-images.ts';
import { imageProfile, podmanIsMissing, testContainerDriver } from '../../testing/podman.ts';

/** Answers as npm does: a repository's own `.npmrc` first, then the account's, then what is built in. */
const npm = `#!/bin/sh
[ -f .npmrc ] && exec cat .npmrc
[ -f "$HOME/.npmrc" ] && exec sed -n 's/^registry=//p' "$HOME/.npmrc"
echo https://npm-built-in.example/
`;
/** Answers as pip does: \`config list\` tells what is set, the help what is built in. */
const python = `#!/bin/sh
case "$*" in
*"config list") [ -f "$HOME/.config/pip/pip.conf" ] && sed -n "s/^index-url = \\(.*\\)/global.index-url='\\1'/p" "$HOME/.config/pip/pip.conf"; exit 0 ;;
*--help) echo "Base URL (default https://pip-built-in.example/simple)" ;;
esac
`;
const program = (text: string) => ({ text, mode: 0o755 });
const images = {
  configured: 'localhost/berth-registries:configured',
  plain: 'localhost/berth-registries:plain',
  empty: 'localhost/berth-registries:empty',
} as const;

/** A worker whose operator configured npm, and has no pip. */
const worker: EcosystemSource = {
  facts: async (ecosystem: Ecosystem) =>
    ecosystem === 'npm'
      ? {
          hosts: async () => [{ host: 'npm-operator.example', port: 443 }],
          env: { npm_config_registry: 'https://npm-operator.example/' },
        }
      : { hosts: async () => [], env: {} },
};

describe.skipIf(podmanIsMissing)('registries of an image (Podman, busybox-static or root is missing)', () => {
  let subject: Awaited<ReturnType<typeof testContainerDriver>>;
  const asked: string[] = [];
  beforeAll(async () => {
    subject = await testContainerDriver({
      ecosystems: worker,
      egress: {
        resolve: async (host) => {
          asked.push(host);
          throw new Error('no such name');
        },
      },
    });
    const root = dirname(subject.engine);
    const env = podmanEnvironment(root);
    const tools = { 'usr/bin/npm': program(npm), 'usr/bin/python3': program(python) };
    await importExtraImage(images.configured, root, env, {
      files: {
        ...tools,
        'root/.npmrc': { text: 'registry=https://user:s3cret@npm-image.example/r/\n', mode: 0o600 },
        'root/.config/pip/pip.conf': { text: '[global]\nindex-url = https://pip-image.example/simple\n' },
        'workspace/.npmrc': { text: 'https://evil.example/\n' },
      },
    });
    await importExtraImage(images.plain, root, env, { files: tools });
    await importExtraImage(images.empty, root, env, {});
  });
  afterAll(() => subject?.cleanUp());

  const opened = async (image: string) => {
    asked.length = 0;
    const spec = fakeSpec({
      profile: imageProfile({ image }),
      egress: { rules: [{ ecosystem: 'npm' }, { ecosystem: 'pip' }] },
    });
    const sandbox = await subject.driver.create(spec, AbortSignal.timeout(120_000));
    // A repository that brings settings of its own comes after the answers.
    await sandbox.write('.npmrc', Buffer.from('https://evil.example/\n'));
    await sandbox.write('/home/agent/.npmrc', Buffer.from('registry=https://evil.example/\n'));
    await sandbox.write('pip.conf', Buffer.from('[global]\nindex-url = https://evil.example/\n'));
    const variables = await runToEnd(sandbox, execRequest('echo "$npm_config_registry $PIP_INDEX_URL"'));
    const reasons = new Map<string, { readonly allowed: boolean; readonly reason: string }>();
    sandbox.onEgress((decision) => reasons.set(decision.host, decision));
    const hosts = ['image', 'operator', 'built-in'].flatMap((who) => [`npm-${who}`, `pip-${who}`]);
    const ask = (host: string) =>
      `const s=require('net').connect(3128,'127.0.0.1',()=>s.write('CONNECT ${host}:443 HTTP/1.1\\r\\nHost: ${host}:443\\r\\n\\r\\n'));` +
      `s.on('data',()=>{});s.on('close',()=>{});setTimeout(()=>s.destroy(),1e4).unref();s.on('data',()=>s.end())`;
    const all = [...hosts.map((name) => `${name}.example`), 'evil.example'];
    for (const host of all) await runToEnd(sandbox, execRequest(['node', '-e', ask(host)]));
    await sandbox.destroy();
    return {
      variables: variables.stdout.toString().trim(),
      open: all.filter((host) => asked.includes(host)),
      why: reasons.get('evil.example')?.reason,
    };
  };

  test('what the image configures counts first, with no word of the repository, and without its password', async () => {
    expect(await opened(images.configured)).toMatchObject({
      variables: 'https://npm-image.example/r/ https://pip-image.example/simple',
      open: ['npm-image.example', 'pip-image.example'],
    });
  });

  test('without settings in the image the operator counts, and then what is built into its tools', async () => {
    expect(await opened(images.plain)).toMatchObject({
      variables: 'https://npm-operator.example/ https://pip-built-in.example/simple',
      open: ['npm-operator.example', 'pip-built-in.example'],
    });
  });

  test('a tool that is missing answers nothing, and the refusal says what to configure', async () => {
    const { variables, open, why } = await opened(images.empty);
    expect([variables, open]).toEqual(['https://npm-operator.example/', ['npm-operator.example']]);
    expect(why).toContain('no host is known for the ecosystem pip: name its registry or mirror');
    expect(await subject.driver.list()).toEqual([]);
  });
});
