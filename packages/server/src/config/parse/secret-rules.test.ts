import { expect, test } from 'vitest';
import { projectSettings } from '../../domain/settings.ts';
import { parseConfig, problemLines } from './index.ts';

function problems(text: string): string[] {
  const parsed = parseConfig(text, { env: {} });
  return parsed.ok ? [] : problemLines('b.yaml', parsed.problems);
}

const head = `version: 1
secrets:
  - { name: npm, from: "\${env:NPM_TOKEN}", projects: [web] }
  - { name: github, from: "\${kubernetes:/var/run/secrets/berth/github}", projects: [web, api] }
`;

const projects = (web: string): string => `${head}projects:
  - { name: api, repository: "https://git.example.org/api" }
  - name: web
    repository: "https://git.example.org/web"
${web}`;

const credential = (name: string, rest: string): string =>
  `      - { name: ${name}, secret: github, ${rest}, placement: { in: header, name: authorization, prefix: "Bearer " } }\n`;

test('a project that uses listed secrets is taken, and its settings hold them', () => {
  const text = projects(
    `    credentials:\n${credential('gh', 'host: api.example.org, env: GITHUB_TOKEN')}    forwardEnv:\n      - { name: NPM_TOKEN, secret: npm }\n    sandboxEnv: true\n`,
  );
  expect(problems(text)).toEqual([]);
  const parsed = parseConfig(text, { env: {} });
  if (!parsed.ok) throw new Error('it was refused');
  expect(projectSettings(parsed.config, 1, 'web')).toMatchObject({
    credentials: [{ name: 'gh', secret: 'github', host: 'api.example.org', port: 443 }],
    forwardEnv: [{ name: 'NPM_TOKEN', secret: 'npm' }],
    sandboxEnv: true,
  });
  const { config } = parsed;
  const revoked = { ...config, secrets: config.secrets.map((one) => ({ ...one, projects: ['api'] })) };
  expect(projectSettings(revoked, 2, 'web')).toMatchObject({ credentials: [], forwardEnv: [] });
});

test('only secrets that are listed for the project can be used, by line and column', () => {
  const text = `${head}projects:
  - name: web
    repository: "https://git.example.org/web"
  - name: api
    repository: "https://git.example.org/api"
    forwardEnv:
      - name: NPM_TOKEN
        secret: npm
      - name: OTHER
        secret: unknown
`;
  expect(problems(text)).toEqual([
    'b.yaml:12:17: the secret npm is not listed for the project api (listed are: github)',
    'b.yaml:14:17: the secret unknown is not listed for the project api (listed are: github)',
  ]);
});

test('a secret for a project that is not there is refused: whoever took the name would have it', () => {
  const text = `version: 1
secrets:
  - name: npm
    from: "\${env:NPM_TOKEN}"
    projects: [web, web]
projects: [{ name: web, repository: "https://git.example.org/web" }]
`;
  expect(problems(text)).toEqual(['b.yaml:5:21: web is there twice']);
  expect(problems(text.replace('web, web', 'nobody'))).toEqual(['b.yaml:5:16: there is no project nobody']);
});

test.each([
  'PATH',
  'Path',
  'LD_PRELOAD',
  'DYLD_INSERT_LIBRARIES',
  'http_proxy',
  'ALL_PROXY',
  'no_proxy',
  'NODE_OPTIONS',
  'NODE_EXTRA_CA_CERTS',
  'AWS_CA_BUNDLE',
  'GIT_CONFIG_COUNT',
  'BASH_ENV',
  'BERTH_HOME',
  'HOME',
])('%s is no name for a forwarded variable', (name) => {
  const [line] = problems(projects(`    forwardEnv:\n      - { name: ${name}, secret: npm }\n`));
  expect(line).toContain(`b.yaml:10:17: ${name} is a variable that sandboxes need as it is`);
});

test('a variable set twice is refused, also when one of the two is a placeholder', () => {
  const text = projects(
    `    credentials:\n${credential('gh', 'host: api.example.org, env: TOKEN')}    forwardEnv:\n      - { name: TOKEN, secret: npm }\n`,
  );
  expect(problems(text)).toEqual([
    expect.stringMatching(/^b\.yaml:10:\d+: the variable TOKEN is set twice$/) as string,
  ]);
});

test('two credentials that fit one request are refused, also where one path lies below the other', () => {
  const two = (first: string, second: string): string[] =>
    problems(projects(`    credentials:\n${credential('one', first)}${credential('two', second)}`));
  const both = 'b.yaml:11:9: two and one fit the same requests to git.example.org';
  expect(two('host: git.example.org', 'host: git.example.org')[0]).toContain(both);
  expect(two('host: Git.example.org', 'host: git.example.org, paths: [/api]')[0]).toContain(both);
  expect(two('host: git.example.org, paths: [/a/b]', 'host: git.example.org, paths: [/c, /a]')[0]).toContain(
    both,
  );
  expect(two('host: git.example.org, paths: [/a]', 'host: git.example.org, paths: [/ab]')).toEqual([]);
  expect(two('host: git.example.org', 'host: git.example.org, port: 8443')).toEqual([]);
  expect(two('host: git.example.org', 'host: other.example.org')).toEqual([]);
  expect(
    problems(
      projects(`    credentials:\n${credential('one', 'host: a.org')}${credential('one', 'host: b.org')}`),
    ),
  ).toEqual(['b.yaml:11:17: one is there twice']);
});

test('a header that steers the request is no place for a credential', () => {
  const text = projects(
    '    credentials:\n      - { name: x, secret: github, host: a.org, placement: { in: header, name: Host } }\n',
  );
  expect(problems(text)[0]).toContain('Host is not a header for a credential');
});

test('1Password needs its server, whose token lies elsewhere', () => {
  const text = (sources: string): string =>
    `version: 1\n${sources}secrets:\n  - { name: a, from: "\${op:Agents/GitHub/token}", projects: [web] }\nprojects: [{ name: web, repository: "https://git.example.org/web" }]\n`;
  expect(problems(text(''))).toEqual([
    'b.yaml:3:22: this is in 1Password, and secretSources.onePassword does not say where that is',
  ]);
  const server = (token: string, url = 'https://connect.example.org'): string =>
    `secretSources: { onePassword: { url: "${url}", token: "${token}" } }\n`;
  expect(problems(text(server('${env:OP_CONNECT_TOKEN}')))).toEqual([]);
  expect(problems(text(server('${op:a/b/c}')))[0]).toContain('cannot be in 1Password');
  expect(problems(text(server('${env:T}', 'https://u:very-secret@connect.example.org'))).join()).toContain(
    'without credentials',
  );
});
