import { readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { expect, test } from 'vitest';

/**
 * The rooms from the ground up (docs/architecture.md). A room may import the rooms named beside it and itself,
 * nothing else; `main.ts`, with its parts in `start/`, alone may import all.
 */
const ground = ['domain'];
const rooms: Readonly<Record<string, readonly string[]>> = {
  domain: [],
  telemetry: ground,
  net: ground,
  internal: ['domain', 'telemetry'],
  store: ground,
  audit: ['domain', 'store'],
  secrets: ['domain', 'net'],
  config: ['domain', 'store', 'secrets'],
  limits: ['domain', 'store'],
  access: ['domain', 'store', 'audit', 'config'],
  git: ['domain', 'net', 'secrets'],
  channel: ['domain', 'telemetry'],
  egress: ['domain', 'net', 'secrets', 'telemetry'],
  sandboxes: ['domain', 'telemetry', 'channel', 'egress', 'git'],
  models: ['domain', 'net', 'secrets', 'limits', 'telemetry'],
  gateway: ['domain', 'limits', 'models'],
  forges: ['domain', 'net', 'secrets', 'git'],
  connectors: ['domain', 'net', 'secrets'],
  tools: ['domain', 'sandboxes', 'models', 'telemetry'],
  agent: ['domain', 'limits', 'models', 'tools', 'sandboxes', 'telemetry'],
  blueprints: [
    'domain',
    'git',
    'sandboxes',
    'models',
    'forges',
    'tools',
    'agent',
    'limits',
    'secrets',
    'telemetry',
  ],
  runs: [
    'domain',
    'telemetry',
    'internal',
    'store',
    'audit',
    'secrets',
    'config',
    'limits',
    'git',
    'sandboxes',
    'models',
    'forges',
    'connectors',
    'tools',
    'agent',
    'blueprints',
  ],
  triggers: ['domain', 'store', 'config', 'access', 'connectors', 'forges', 'runs'],
  api: [
    'domain',
    'telemetry',
    'store',
    'audit',
    'config',
    'limits',
    'access',
    'forges',
    'sandboxes',
    'runs',
    'triggers',
  ],
};

const root = import.meta.dirname;

function* sources(directory: string): Generator<string> {
  for (const name of readdirSync(directory)) {
    const path = join(directory, name);
    if (statSync(path).isDirectory()) yield* sources(path);
    else if (name.endsWith('.ts')) yield path;
  }
}

test('no room imports a room that is not in its row of the table', () => {
  const wrong: string[] = [];
  for (const file of sources(root)) {
    const from = relative(root, file).split('/');
    const room = from.length > 1 ? from[0]! : null;
    if (room === null || room === 'testing' || room === 'start') continue;
    const allowed = rooms[room];
    expect(allowed, `${room} is not a room of the table`).toBeDefined();
    for (const [, specifier] of readFileSync(file, 'utf8').matchAll(/(?:from|import\()\s*'(\.[^']+)'/g)) {
      const target = relative(root, resolve(dirname(file), specifier!)).split('/')[0]!;
      const isTestHelp = target === 'testing' && file.includes('.test.');
      if (target !== room && !allowed!.includes(target) && !isTestHelp) {
        wrong.push(`${relative(root, file)} imports ${specifier}`);
      }
    }
  }
  expect(wrong).toEqual([]);
});

test('the table is ordered: no room may import one that stands above it', () => {
  const order = Object.keys(rooms);
  const upward = order.flatMap((room, place) =>
    rooms[room]!.filter((other) => order.indexOf(other) >= place).map((other) => `${room} → ${other}`),
  );
  expect(upward).toEqual([]);
});
