import { expect, test } from 'vitest';
import type { StoredEvent } from '../../domain/events/index.ts';
import { foldAll } from '../../domain/run-state.ts';
import { opening, repairAndPropose } from '../../testing/fake-run-script.ts';
import { pullRequestBody } from './body.ts';

const runId = 'r-0000000000000001';
const entries = [...opening(), ...repairAndPropose()].flatMap(({ item }) =>
  'event' in item ? [item.event] : [],
);
const state = foldAll(
  runId,
  entries.map((entry, place): StoredEvent => ({
    ...entry,
    runId,
    seq: place + 1,
    at: new Date(0).toISOString(),
  })),
);
const created = {
  taskId: 't-0000000000000001',
  projectId: 'p-1',
  repository: '/srv/lib',
  title: 'Fix it',
  text: 'Fix it',
  branch: 'berth/fix-it-000001',
  attempt: 1,
  options: {},
} as never;

function fetchLine(fetchUrl: string | null): string | undefined {
  const body = pullRequestBody({ state, plan: state.plan!, created, files: [], fetchUrl, objections: [] });
  return /^git fetch .*$/m.exec(body)?.[0];
}

test('what reproduces a change fetches it from where it was pushed', () => {
  expect(fetchLine(null)).toBe('git fetch origin berth/fix-it-000001');
  expect(fetchLine('/home/me/.berth/forge/p-1.git')).toBe(
    'git fetch /home/me/.berth/forge/p-1.git berth/fix-it-000001',
  );
});

test('an address with spaces or quotes stays one word of the shell', () => {
  expect(fetchLine("/home/o'neil and co/p-1.git")).toBe(
    String.raw`git fetch '/home/o'\''neil and co/p-1.git' berth/fix-it-000001`,
  );
});
