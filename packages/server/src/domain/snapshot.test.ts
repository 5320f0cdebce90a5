import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { commandSchema } from './blueprint.ts';
import type { NewEvent, StoredEvent } from './events/index.ts';
import {
  isManifest,
  isNamedBy,
  scopeOf,
  snapshotKey,
  whyNotMade,
  type MakingFacts,
  type SnapshotKeyParts,
} from './snapshot.ts';

const command = (run: string, more: object = {}) => commandSchema.parse({ run, ...more });

const parts: SnapshotKeyParts = {
  projectId: 'p-1',
  setup: [command('npm ci', { egress: [{ ecosystem: 'npm' }] })],
  egress: [[{ ecosystem: 'npm' }]],
  bounds: { ceilings: [[{ ecosystem: 'npm' }]], deny: ['bad.example'], refusedRanges: null },
  scope: 'manifests',
  files: [
    { path: 'package.json', mode: '100644', id: 'a'.repeat(40) },
    { path: 'package-lock.json', mode: '100644', id: 'b'.repeat(40) },
  ],
  tree: null,
  toolchain: 'sha256-one',
  driver: 'bubblewrap',
};

/** Each changes one part of what the result of setup depends on. */
const changes: Record<string, (word: string) => Partial<SnapshotKeyParts>> = {
  project: (word) => ({ projectId: `p-1${word}` }),
  command: (word) => ({ setup: [command(`npm ci ${word}`, { egress: [{ ecosystem: 'npm' }] })] }),
  'one more command': (word) => ({ setup: [...parts.setup, command(`x${word}`)] }),
  environment: (word) => ({
    setup: [command('npm ci', { egress: [{ ecosystem: 'npm' }], env: { A: word } })],
  }),
  directory: (word) => ({ setup: [command('npm ci', { egress: [{ ecosystem: 'npm' }], cwd: `d${word}` })] }),
  'what configuration gives': () => ({ egress: [[{ ecosystem: 'npm' }, { ecosystem: 'pip' }]] }),
  ceiling: () => ({ bounds: { ...parts.bounds, ceilings: [] } }),
  deny: (word) => ({ bounds: { ...parts.bounds, deny: [`x${word}`] } }),
  'refused ranges': (word) => ({ bounds: { ...parts.bounds, refusedRanges: [word] } }),
  scope: () => ({ scope: 'tree' }),
  tree: (word) => ({ tree: word }),
  'contents of a file': (word) => ({ files: [{ ...parts.files[0]!, id: `c${word}` }, parts.files[1]!] }),
  'name of a file': (word) => ({ files: [{ ...parts.files[0]!, path: `x${word}` }, parts.files[1]!] }),
  'mode of a file': () => ({ files: [{ ...parts.files[0]!, mode: '100755' }, parts.files[1]!] }),
  'a file less': () => ({ files: [parts.files[1]!] }),
  toolchain: (word) => ({ toolchain: `sha256-two${word}` }),
  driver: () => ({ driver: 'container' }),
};

test('every part of what setup depends on gives another key, and two changes another one again', () => {
  const name = fc.constantFrom(...Object.keys(changes));
  fc.assert(
    fc.property(name, name, fc.string({ minLength: 1 }), (one, other, word) => {
      const changed = { ...parts, ...changes[one]!(word) };
      expect(snapshotKey(changed)).not.toBe(snapshotKey(parts));
      if (one !== other)
        expect(snapshotKey({ ...parts, ...changes[other]!(word) })).not.toBe(snapshotKey(changed));
    }),
  );
});

test('the order of files and of object keys does not count', () => {
  const reversed = Object.fromEntries(Object.entries(parts).toReversed()) as unknown as SnapshotKeyParts;
  expect(snapshotKey({ ...reversed, files: parts.files.toReversed() })).toBe(snapshotKey(parts));
});

test('manifests and lock files are known at any depth, sources are not', () => {
  for (const path of [
    'package.json',
    'a/b/package-lock.json',
    'go.sum',
    'requirements.txt',
    'requirements-dev.txt',
    'requirements/base.in',
    'dev-requirements.txt',
    'x/build.gradle.kts',
    'gradle/libs.versions.toml',
    'App.csproj',
  ])
    expect([path, isManifest(path)]).toEqual([path, true]);
  for (const path of ['src/index.ts', 'package.json/x', 'README.md', 'requirements.md', 'my-package.json'])
    expect([path, isManifest(path)]).toEqual([path, false]);
});

test('files that commands name count, by path, by folder, and from the folder they run in', () => {
  expect(isNamedBy([command('sh ./scripts/setup.sh')], 'scripts/setup.sh')).toBe(true);
  expect(isNamedBy([command('make -C tools "all"')], 'tools/Makefile')).toBe(true);
  expect(isNamedBy([command('cat x', { cwd: 'web' })], 'web/x')).toBe(true);
  expect(isNamedBy([command('cat x', { cwd: 'web' })], 'other/x')).toBe(false);
  expect(isNamedBy([command('npm ci')], 'src/index.ts')).toBe(false);
});

test('plain installations depend on manifests; whatever may read sources depends on the tree', () => {
  const none = new Map<string, string>();
  const hide = " && { [ ! -d node_modules ] || printf '*\\n' > node_modules/.gitignore; }";
  for (const run of [
    'npm ci',
    `npm ci --no-audit --no-fund${hide}`,
    'command -v pnpm >/dev/null 2>&1 || npm install --no-audit --no-fund --prefix "$HOME/.berth" pnpm@9.1.0',
    'PATH="$HOME/.berth/node_modules/.bin:$PATH" pnpm install --frozen-lockfile',
    'go mod download',
    "python3 -m venv .venv && printf '*\\n' > .venv/.gitignore",
    '.venv/bin/python -m pip install -r requirements.txt -r dev.txt',
    '.venv/bin/python -m pytest --version >/dev/null 2>&1 || .venv/bin/python -m pip install pytest',
  ])
    expect.soft([run, scopeOf([{ run }], none)]).toEqual([run, 'manifests']);
  for (const run of [
    'npm ci && npm run build',
    'npm ci; ./prepare',
    'npm ci $(./x)',
    'npm ci `./x`',
    'npm ci | sh',
    'npm ci & sh x.sh',
    'make',
    'pip install .',
    'pip install -e .',
    'pip install ./libs/a',
    'npm --prefix x run build',
    'node scripts/setup.js',
    '. ./env && npm ci',
  ])
    expect.soft([run, scopeOf([{ run }], none)]).toEqual([run, 'tree']);
});

test('a manifest through which sources are read or scripts run makes the whole tree count', () => {
  const scope = (path: string, text: string | null) => scopeOf([{ run: 'npm ci' }], new Map([[path, text]]));
  expect(scope('package.json', '{"scripts":{"test":"vitest"},"dependencies":{"a":"^1.0.0"}}')).toBe(
    'manifests',
  );
  for (const name of ['preinstall', 'install', 'postinstall', 'prepare'])
    expect([name, scope('web/package.json', `{"scripts":{"${name}":"node x.js"}}`)]).toEqual([name, 'tree']);
  expect(scope('package.json', '{"dependencies":{"a":"file:../a"}}')).toBe('tree');
  expect(scope('requirements.txt', 'requests==2\n')).toBe('manifests');
  expect(scope('requirements.txt', 'requests==2\n-e ./lib\n')).toBe('tree');
  expect(scope('requirements.txt', './lib\n')).toBe('tree');
  expect(scope('setup.py', '')).toBe('tree');
  expect(scope('package.json', null)).toBe('tree');
});

const sandboxId = 's-1';
function events(...more: NewEvent[]): StoredEvent[] {
  const made: NewEvent = {
    type: 'sandbox.created',
    data: {
      purpose: 'work',
      ref: { id: sandboxId, driver: 'fake', bootId: 'b', address: 'a' },
      commit: 'c',
      durationMs: 1,
      restoredFrom: null,
    },
  };
  return [made, ...more].map((event, place) => ({
    ...event,
    runId: 'r',
    seq: place + 1,
    at: new Date(place).toISOString(),
  }));
}
const facts = (over: Partial<MakingFacts> = {}): MakingFacts => ({
  sandboxId,
  source: { kind: 'repository', path: '.berth/blueprint.yaml', commit: 'c' },
  setup: [command('npm ci')],
  isOnDefaultBranch: true,
  events: events(),
  ...over,
});
const started = (id: string): NewEvent => ({
  type: 'command.started',
  data: { id, sandboxId, step: '1:setup', purpose: 'setup', name: 'x', command: 'x' },
});

test('a snapshot is made of a clean work sandbox of the default branch alone', () => {
  expect(whyNotMade(facts())).toBeNull();
  expect(whyNotMade(facts({ events: events(started(`setup/work/${sandboxId}/1`)) }))).toBeNull();
  const refused: Record<string, MakingFacts> = {
    'another branch': facts({ isOnDefaultBranch: false }),
    'a blueprint of the task': facts({ source: { kind: 'file', path: 'x.yaml' } }),
    'no setup': facts({ setup: [] }),
    'another sandbox': facts({ sandboxId: 's-2' }),
    'a command before': facts({ events: events(started('check/lint')) }),
    'a terminal': facts({
      events: events({
        type: 'terminal.opened',
        data: { terminal: 't', by: 'p', columns: 80, rows: 24 },
      } as never),
    }),
    'an agent': facts({
      events: events({ type: 'agent.told', data: { step: '2:agent', kind: 'nudge', text: '' } }),
    }),
  };
  for (const [name, given] of Object.entries(refused))
    expect([name, whyNotMade(given)]).toEqual([name, expect.any(String)]);
  const [first] = events();
  if (first?.type !== 'sandbox.created') throw new Error('no sandbox');
  const restored = { ...first, data: { ...first.data, restoredFrom: 'checkpoint-1' } };
  expect(whyNotMade(facts({ events: [restored] }))).toContain('checkpoint');
});
