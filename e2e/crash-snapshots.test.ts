import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { cassetteText, script } from '../packages/server/src/models/index.ts';
import type { EventView, RunView } from '../packages/server/src/domain/views.ts';
import { bubblewrapMissing } from './support/parts.ts';
import { live, place, type Place, repositoryOf, request } from './support/start-run.ts';

/**
 * Promise 3 for snapshots of setup: `kill -9` of the worker while one is made, stored, recorded or restored. The run goes
 * on and is right, and so is the next one; nothing half-written is ever used. Setup makes 24 MiB that do not compress and
 * their sum; each check looks at all of it.
 */
const files = {
  'greeting.txt': 'helo\n',
  '.gitignore': 'made/\n',
  '.berth/blueprint.yaml': [
    'version: 1',
    'name: prepared',
    'setup:',
    '  - run: >-',
    '      mkdir -p made/many "$HOME/.cache" && head -c 25165824 /dev/urandom > made/large &&',
    '      (cd made/many && seq 1 400 | xargs touch) && sha256sum made/large > "$HOME/.cache/sum"',
    'checks:',
    '  - name: whole',
    '    kind: test',
    '    run: >-',
    '      sha256sum -c "$HOME/.cache/sum" && test "$(ls made/many | wc -l)" = 400 && ! test -e made/poison &&',
    '      grep -qx hello greeting.txt',
    'steps: [setup, agent, verify]',
    'limits:',
    '  rounds: 0',
    '',
  ].join('\n'),
};

/** Its agent leaves something where setup wrote, which no later run may see. */
const cassette = cassetteText(
  script([
    {
      say: 'I spell it right.',
      toolCalls: [
        {
          name: 'bash',
          input: { command: 'echo x > made/poison; rm made/poison; echo hello > greeting.txt' },
        },
      ],
    },
    { toolCalls: [{ name: 'bash', input: { command: 'echo x > made/late' } }] },
    { toolCalls: [{ name: 'finish', input: { result: 'done', summary: 'Spelled.' } }] },
  ]),
);

interface Ended {
  readonly run: RunView;
  readonly events: readonly EventView[];
}

const of = (ended: Ended, type: string): Record<string, unknown>[] =>
  ended.events.filter((event) => event.type === type).map(({ data }) => data as Record<string, unknown>);

describe.skipIf(bubblewrapMissing !== null)(
  `crash with snapshots (${bubblewrapMissing ?? 'with bubblewrap'})`,
  () => {
    let here: Place;
    let cassettePath: string;
    let repositories = 0;

    beforeAll(() => {
      // A key covers every program on PATH, and others may install some in directories of their own meanwhile.
      vi.stubEnv('PATH', '/usr/local/bin:/usr/bin:/bin');
      here = place({ 'README.md': 'unused\n' });
      mkdirSync(here.home, { recursive: true });
      writeFileSync(
        join(here.home, 'berth.yaml'),
        'version: 1\nsandboxes:\n  - { name: default, snapshots: true }\n',
      );
      cassettePath = join(here.directory, 'cassette.jsonl');
      writeFileSync(cassettePath, cassette);
    });
    afterAll(() => {
      here.remove();
      vi.unstubAllEnvs();
    });

    /** A project of its own, so that it has no snapshot yet. */
    const newProject = (): string => {
      repositories += 1;
      const repository = join(here.directory, `project-${repositories}`);
      repositoryOf(repository, files);
      return JSON.stringify(request(repository, { text: 'Spell it right', cassette: cassettePath }));
    };

    const toEnd = async (env: Readonly<Record<string, string>>): Promise<Ended> => {
      const life = await live(here.home, env);
      if (life.ended === null) throw new Error(`it did not end: ${life.stderr}`);
      expect(life.ended.run.status).toMatchObject({ state: 'succeeded' });
      const judged = of(life.ended, 'check.judged');
      expect(judged.length).toBeGreaterThan(0);
      expect(judged.filter(({ verdict }) => verdict !== 'passed')).toEqual([]);
      return life.ended;
    };

    /** The first life of a run, which is killed; then the same run to its end. */
    const crashed = async (asked: string, kill: Readonly<Record<string, string>>): Promise<Ended> => {
      const first = await live(here.home, { ...kill, E2E_REQUEST: asked });
      if (!first.killed) throw new Error(`it was not killed: ${first.stderr}`);
      return toEnd({ E2E_RUN: first.runId ?? 'latest' });
    };

    const whileMade: ReadonlyArray<readonly [string, Readonly<Record<string, string>>]> = [
      ['while one is made and half of it is written', { E2E_KILL_ON_BLOB: 'draft:4000000' }],
      ['when one is stored and not recorded', { E2E_KILL_ON_BLOB: 'whole:4000000' }],
      ['when one is recorded', { E2E_KILL_AT: 'snapshot.made:1' }],
      ['after setup, before one is begun', { E2E_KILL_AT: 'command.ended:1' }],
    ];
    test.each(whileMade)('killed %s: the run and the next one are right', async (_what, kill) => {
      const asked = newProject();
      const ended = await crashed(asked, kill);
      const next = await toEnd({ E2E_REQUEST: asked });
      // Whatever it restored came from setup alone: its checks say so. (The proposal's tree differs, and this setup is no
      // plain installation: the sandbox that verifies is never restored.)
      for (const { purpose } of of(next, 'snapshot.restored')) expect(purpose).toBe('work');
      const made = [ended, next].flatMap((one) => of(one, 'snapshot.made')).filter(({ kept }) => kept);
      expect(made.length).toBeLessThanOrEqual(1);
      expect([ended, next].flatMap((one) => of(one, 'snapshot.failed'))).toEqual([]);
    });

    const whileRestored = [
      ['before anything of it is there', { E2E_KILL_AT: 'snapshot.begun:1' }],
      ['in the middle', { E2E_KILL_AT: 'snapshot.begun:1', E2E_KILL_AFTER_MS: '60' }],
      ['just after it', { E2E_KILL_AT: 'snapshot.restored:1' }],
    ] as const;
    test('killed while one is restored: the sandbox is replaced or whole, and the run is right', async () => {
      const asked = newProject();
      const first = await toEnd({ E2E_REQUEST: asked });
      expect(of(first, 'snapshot.made')).toMatchObject([{ kept: true }]);
      for (const [what, kill] of whileRestored) {
        const ended = await crashed(asked, kill);
        const restored = of(ended, 'snapshot.restored');
        const begun = of(ended, 'snapshot.begun');
        // One whose restoring was cut off is never counted as restored.
        const whole = new Set(restored.map(({ sandboxId }) => sandboxId));
        const cut = begun.filter(({ sandboxId }) => !whole.has(sandboxId));
        // A quick machine may be through with it before the worker is killed in the middle.
        const possible = {
          'before anything of it is there': [1],
          'in the middle': [0, 1],
          'just after it': [0],
        };
        expect(possible[what]).toContain(cut.length);
        for (const command of of(ended, 'command.started'))
          expect(cut.map(({ sandboxId }) => sandboxId)).not.toContain(command['sandboxId']);
        // The snapshot itself did nothing wrong and stays.
        expect(new Set(restored.map(({ purpose }) => purpose))).toEqual(new Set(['work']));
      }
    }, 600_000);
  },
);
