import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { detect } from './index.ts';
import type { RepositoryReader } from './reader.ts';

function tree(files: Readonly<Record<string, string>>): RepositoryReader {
  return {
    files: Object.keys(files),
    read: (path) => Promise.resolve(Object.hasOwn(files, path) ? files[path]! : null),
  };
}

async function commands(files: Readonly<Record<string, string>>): Promise<{
  ecosystems: readonly string[];
  setup: string[];
  checks: Record<string, string>;
  notes: readonly string[];
}> {
  const { blueprint, ecosystems, notes } = await detect(tree(files));
  return {
    ecosystems,
    notes,
    setup: blueprint.setup.map((command) => command.run),
    checks: Object.fromEntries(blueprint.checks.map((check) => [check.name, check.run])),
  };
}

const json = (value: unknown): string => JSON.stringify(value);

test('npm with a lock file: ci, scripts by name, the affected form of vitest', async () => {
  const { blueprint } = await detect(
    tree({
      'package.json': json({
        scripts: {
          test: 'vitest run',
          lint: 'eslint .',
          'format:check': 'prettier --check .',
          format: 'prettier --write .',
          typecheck: 'tsc',
          build: 'tsc -p .',
        },
        devDependencies: { vitest: '1', prettier: '3', eslint: '9' },
      }),
      'package-lock.json': '{}',
      '.gitignore': 'node_modules\n',
      'eslint.config.js': '',
      '.prettierrc': '',
    }),
  );
  expect(blueprint.setup).toMatchObject([
    { run: 'npm ci --no-audit --no-fund', egress: [{ ecosystem: 'npm' }] },
  ]);
  expect(blueprint.checks.map(({ name, kind, run }) => [name, kind, run])).toEqual([
    ['format', 'format', 'npm run format:check'],
    ['lint', 'lint', 'npm run lint'],
    ['typecheck', 'lint', 'npm run typecheck'],
    ['test', 'test', 'npm test'],
    ['build', 'build', 'npm run build'],
  ]);
  const check = blueprint.checks.find((one) => one.name === 'test')!;
  expect(check.env).toEqual({ CI: '1' });
  expect(check.affected).toBe('npx --no-install vitest related --run --passWithNoTests "$@"');
  expect(blueprint.checks[0]!.fix).toBe('npx --no-install prettier --write --ignore-unknown "$@"');
  expect(blueprint.checks.flatMap((one) => one.egress)).toEqual([]);
});

test('npm without a lock file installs without writing one', async () => {
  const { setup } = await commands({
    'package.json': json({ dependencies: { a: '1' }, scripts: { test: 'node --test' } }),
  });
  expect(setup).toHaveLength(1);
  expect(setup[0]).toMatch(/^npm install --no-package-lock --no-audit --no-fund/);
});

test('a package without dependencies needs no setup, and no network', async () => {
  expect((await commands({ 'package.json': json({ scripts: { test: 'node --test' } }) })).setup).toEqual([]);
});

test('the packageManager field wins over lock files; its version is used when it is one', async () => {
  const files = (packageManager: string) => ({
    'package.json': json({ packageManager, dependencies: { a: '1' }, scripts: { test: 'jest' } }),
    'package-lock.json': '{}',
    'pnpm-lock.yaml': "lockfileVersion: '6.0'\n",
  });
  const good = await commands(files('pnpm@9.1.2+sha256.abc'));
  expect(good.setup.join('\n')).toContain('pnpm@9.1.2\n');
  expect(good.setup.join('\n')).toContain('pnpm install --frozen-lockfile');
  expect(good.notes).toContain('several lock files; pnpm is used');
  const evil = await commands(files('pnpm@1.0.0;touch /tmp/x'));
  expect(JSON.stringify(evil)).not.toContain('touch');
  expect(evil.setup.join('\n')).toContain('pnpm@8');
});

test.each([
  ['# yarn lockfile v1\n', 'yarn@1.22.22', 'yarn install --frozen-lockfile'],
  ['__metadata:\n  version: 8\n', '@yarnpkg/cli-dist@4', 'yarn install --immutable'],
])('yarn by its lock file', async (lock, tool, install) => {
  const { setup } = await commands({
    'package.json': json({ dependencies: { a: '1' }, scripts: { test: 'jest' } }),
    'yarn.lock': lock,
  });
  expect(setup[0]).toContain(tool);
  expect(setup[1]).toContain(install);
});

test('the default test script of npm init and watchers are no tests', async () => {
  for (const script of ['echo "Error: no test specified" && exit 1', 'jest --watch', '']) {
    const { checks, notes } = await commands({ 'package.json': json({ scripts: { test: script } }) });
    expect(checks).toEqual({});
    expect(notes.join()).toMatch(/No checks are known/);
  }
});

test('uv, with a virtual environment inside the repository', async () => {
  const { setup, checks } = await commands({
    'pyproject.toml': '[project]\nname = "x"\n[tool.pytest.ini_options]\n[tool.ruff]\n[tool.ruff.format]\n',
    'uv.lock': '',
    'tests/test_a.py': 'def test_a(): pass',
  });
  expect(setup.join('\n')).toContain('uv sync --frozen');
  expect(checks).toEqual({
    format: '.venv/bin/python -m ruff format --check .',
    lint: '.venv/bin/python -m ruff check .',
    test: '.venv/bin/python -m pytest',
  });
});

test('pip with requirement files, extras and pytest', async () => {
  const { setup, checks } = await commands({
    'requirements.txt': 'requests\n',
    'requirements-dev.txt': 'pytest\n',
    'pyproject.toml':
      '[project]\nname = "x"\n[project.optional-dependencies]\ntest = ["pytest"]\nevil = ["x"]\n',
    'test_a.py': '',
  });
  expect(setup).toContain('.venv/bin/python -m pip install -r requirements.txt -r requirements-dev.txt');
  expect(setup).toContain(".venv/bin/python -m pip install -e '.[test]'");
  expect(setup.every((command) => !/sudo|--user|--break-system/.test(command))).toBe(true);
  expect(checks['test']).toBe('.venv/bin/python -m pytest');
});

test('plain unittest needs nothing installed', async () => {
  const { setup, checks } = await commands({
    'calc.py': '',
    'tests/test_calc.py': 'import unittest\n',
    'tests/__init__.py': '',
  });
  expect(setup).toEqual([]);
  expect(checks).toEqual({ test: 'python3 -m unittest discover -s tests -t .' });
});

test('Go: format, vet, tests with the affected packages, build', async () => {
  const { blueprint } = await detect(tree({ 'go.mod': 'module x\nrequire y v1\n', 'a.go': '' }));
  expect(blueprint.setup).toMatchObject([{ run: 'go mod download', egress: [{ ecosystem: 'go' }] }]);
  expect(blueprint.checks.map((check) => check.name)).toEqual(['format', 'lint', 'test', 'build']);
  expect(blueprint.checks[2]).toMatchObject({
    run: 'go test ./...',
    affected: expect.stringContaining('go list') as string,
  });
});

test('a makefile is asked when nothing else knows the tests', async () => {
  const makefile = 'CFLAGS := -O2\n.PHONY: test\ntest: all\n\t./run\nlint:\n\tlint\n%.o: %.c\n';
  expect((await commands({ Makefile: makefile, 'main.c': '' })).checks).toEqual({
    lint: 'make lint',
    test: 'make test',
  });
  const both = await commands({
    Makefile: makefile,
    'package.json': json({ scripts: { test: 'node --test' } }),
  });
  expect(both.checks).toEqual({ test: 'npm test' });
});

test('several ecosystems at the root are all checked, with names of their own', async () => {
  const { ecosystems, checks } = await commands({
    'go.mod': 'module x',
    'package.json': json({ scripts: { test: 'node --test' } }),
  });
  expect(ecosystems).toEqual(['node', 'go']);
  expect(Object.keys(checks)).toEqual(['node-test', 'go-format', 'go-lint', 'go-test', 'go-build']);
});

test('without a manifest at the root, shallow directories are looked into; examples are not', async () => {
  const { blueprint } = await detect(
    tree({
      'web/package.json': json({ scripts: { test: 'node --test' } }),
      'services/api/go.mod': 'module x',
      'examples/a/package.json': json({ scripts: { test: 'false' } }),
      'a/b/c/go.mod': 'module deep',
    }),
  );
  expect(blueprint.checks.map(({ name, cwd }) => [name, cwd])).toEqual([
    ['web-test', 'web'],
    ['services-api-format', 'services/api'],
    ['services-api-lint', 'services/api'],
    ['services-api-test', 'services/api'],
    ['services-api-build', 'services/api'],
  ]);
});

test('a monorepo is tested from its root', async () => {
  const { checks } = await commands({
    'package.json': json({ workspaces: ['packages/*'] }),
    'packages/a/package.json': json({ scripts: { test: 'node --test' } }),
  });
  expect(checks).toEqual({ test: 'npm test --workspaces --if-present' });
});

test('nothing known: no checks, and that is said', async () => {
  const { checks, notes } = await commands({ 'README.md': 'hello' });
  expect(checks).toEqual({});
  expect(notes).toEqual([expect.stringMatching(/No checks are known/)]);
});

test('a manifest that cannot be read is said, and nothing is made of it', async () => {
  for (const text of ['{', '[]', 'null', '"x"', `{"scripts": "${'x'.repeat(2_000_000)}"}`]) {
    const { checks, notes } = await commands({ 'package.json': text });
    expect(checks).toEqual({});
    expect(notes.length).toBeGreaterThan(0);
  }
});

test('no word of a hostile manifest gets into a command', async () => {
  const poison = fc.constantFrom(
    '$(touch pwned)',
    '`pwned`',
    '"; pwned; "',
    '../pwned',
    '__proto__',
    "'pwned'",
    '\npwned\n',
  );
  const name = fc.oneof(poison, fc.constantFrom('test', 'lint', 'build', 'format', 'prettier', 'x'));
  await fc.assert(
    fc.asyncProperty(
      fc.dictionary(name, fc.oneof(poison, fc.constant('vitest run $(touch pwned)'), fc.constant('jest'))),
      fc.dictionary(name, poison),
      poison,
      async (scripts, dependencies, packageManager) => {
        const { blueprint } = await detect(
          tree({
            'package.json': json({ scripts, dependencies, packageManager, workspaces: packageManager }),
            'pyproject.toml': `[project]\n[project.optional-dependencies]\n"${packageManager}" = []\n`,
            'go.mod': `module ${packageManager}\nrequire x`,
            [`sub${packageManager.replaceAll('/', '')}/package.json`]: json({ scripts: { test: 'x' } }),
          }),
        );
        for (const command of [...blueprint.setup, ...blueprint.checks])
          expect(command.run).not.toContain('pwned');
        for (const check of blueprint.checks) {
          expect(`${check.fix ?? ''}${check.affected ?? ''}${check.name}`).not.toContain('touch');
        }
      },
    ),
  );
});
