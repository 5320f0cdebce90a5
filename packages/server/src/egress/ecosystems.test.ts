import { expect, test } from 'vitest';
import { createEcosystems } from './ecosystems.ts';
import { proxyEnv, registryEnv } from './sandbox-env.ts';

const nothing = () => Promise.resolve(null);

/** Tools that answer as their own configuration commands would. */
function source(answers: Readonly<Record<string, string>>, pages: Readonly<Record<string, string>> = {}) {
  const asked: string[] = [];
  const ecosystems = createEcosystems({
    ask: (file, args) => {
      const line = [file, ...args].join(' ');
      asked.push(line);
      return Promise.resolve(answers[line] ?? null);
    },
    fetchText: (url) => Promise.resolve(pages[url.href] ?? null),
    env: { CARGO_HOME: '/nonexistent' },
  });
  return { ecosystems, asked };
}

test('npm tells its registry; user, password and query stay outside', async () => {
  const { ecosystems } = source({
    'npm config get registry': 'https://ann:t0ken@npm.corp.example:8443/repo/?key=t0ken\n',
  });
  const { hosts, env } = await ecosystems.facts('npm');
  expect(await hosts()).toEqual([{ host: 'npm.corp.example', port: 8443 }]);
  expect(env['npm_config_registry']).toBe('https://npm.corp.example:8443/repo/');
  expect(JSON.stringify(env)).not.toMatch(/t0ken|ann/);
});

test('pip tells its index, or its help tells the built-in one, and the index tells where its files lie', async () => {
  const page = '<a href="https://files.corp.example/a.whl#sha256=1">a</a><a href="../b.whl">b</a>';
  const set = source(
    {
      'python3 -m pip config list': [
        ":env:.index-url='https://elsewhere.example/'",
        "global.index-url='https://bob:s3cret@pip.corp.example/simple/'",
        "global.extra-index-url='\\nhttp://x:s3cret@extra.example:81/simple\\nhttps://more.example/simple'",
        '',
      ].join('\n'),
    },
    { 'https://bob:s3cret@pip.corp.example/simple/pip/': page },
  );
  const { hosts, env } = await set.ecosystems.facts('pip');
  expect(await hosts()).toEqual([
    { host: 'pip.corp.example', port: 443 },
    { host: 'extra.example', port: 81 },
    { host: 'more.example', port: 443 },
    { host: 'files.corp.example', port: 443 },
  ]);
  expect(env).toMatchObject({
    PIP_INDEX_URL: 'https://pip.corp.example/simple/',
    PIP_EXTRA_INDEX_URL: 'http://extra.example:81/simple https://more.example/simple',
  });
  expect(JSON.stringify(env)).not.toContain('s3cret');
  const help = source({
    'python3 -m pip download --help':
      '  -i, --index-url <url>  Base URL (default\n        https://index.example/simple). This',
  });
  expect(await (await help.ecosystems.facts('pip')).hosts()).toEqual([{ host: 'index.example', port: 443 }]);
});

test('go tells its proxies and checksum database', async () => {
  const { ecosystems } = source({
    'go env GOPROXY GOSUMDB': 'https://u:pw0rd@goproxy.example/x,direct\nsums.example+abc+key\n',
  });
  const { hosts, env } = await ecosystems.facts('go');
  expect((await hosts()).map(({ host }) => host)).toEqual(['goproxy.example', 'sums.example']);
  expect(env['GOPROXY']).toBe('https://goproxy.example/x,direct');
  const off = source({ 'go env GOPROXY GOSUMDB': 'off\noff\n' });
  expect(await (await off.ecosystems.facts('go')).hosts()).toEqual([]);
});

test('an index is asked where its files are only when its hosts are wanted', async () => {
  let fetched = 0;
  const ecosystems = createEcosystems({
    ask: () => Promise.resolve(null),
    fetchText: async () => {
      fetched += 1;
      return null;
    },
    env: { PIP_INDEX_URL: 'https://index.example/simple' },
  });
  const { env, hosts } = await ecosystems.facts('pip');
  expect(env['PIP_INDEX_URL']).toBe('https://index.example/simple');
  expect(fetched).toBe(0);
  expect(await hosts()).toEqual([{ host: 'index.example', port: 443 }]);
  await hosts();
  expect(fetched).toBe(1);
});

test('a tool that is missing, fails or talks nonsense allows nothing, and is asked once', async () => {
  for (const answer of ['', 'undefined', 'file:///etc/passwd', 'not a url', 'ftp://x.example/']) {
    const { ecosystems, asked } = source({ 'npm config get registry': answer });
    expect(await (await ecosystems.facts('npm')).hosts()).toEqual([]);
    await ecosystems.facts('npm');
    expect(asked).toHaveLength(1);
  }
  const broken = createEcosystems({ ask: () => Promise.reject(new Error('no')), fetchText: nothing });
  expect(await (await broken.facts('go')).hosts()).toEqual([]);
});

test('the environment leads every tool to the door, in both spellings, and loopback past it', async () => {
  const env = proxyEnv({ proxyPort: 3128, caFile: '/etc/ssl/ca.pem' });
  for (const name of ['HTTP_PROXY', 'HTTPS_PROXY']) {
    expect([env[name], env[name.toLowerCase()]]).toEqual(['http://127.0.0.1:3128', 'http://127.0.0.1:3128']);
  }
  expect([env['ALL_PROXY'], env['all_proxy']]).toEqual([
    'socks5h://127.0.0.1:3128',
    'socks5h://127.0.0.1:3128',
  ]);
  expect(env['no_proxy']).toContain('127.0.0.1');
  expect(env).toMatchObject({
    NODE_USE_ENV_PROXY: '1',
    npm_config_https_proxy: 'http://127.0.0.1:3128',
    NODE_EXTRA_CA_CERTS: '/etc/ssl/ca.pem',
  });
  expect(proxyEnv({ proxyPort: 1, caFile: null })['SSL_CERT_FILE']).toBeUndefined();
  const { ecosystems } = source({ 'npm config get registry': 'https://npm.example/' });
  expect((await registryEnv(ecosystems))['npm_config_registry']).toBe('https://npm.example/');
});
