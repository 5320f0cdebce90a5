import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { type Ended, hostServer, type HostedServer } from './support/hosted-server.ts';
import { bubblewrapMissing } from './support/parts.ts';

const bash = (command: string) => ({ say: 'I do it.', toolCalls: [{ name: 'bash', input: { command } }] });
const finish = { toolCalls: [{ name: 'finish', input: { result: 'done', summary: 'Done.' } }] };

/** Its setup depends on manifests alone, so that a proposal of other files has the same snapshot. */
const blueprint = [
  'version: 1',
  'name: prepared',
  'setup:',
  `  - run: printf '*\\n' > .stamp`,
  'checks:',
  '  - name: greeting',
  '    kind: test',
  '    run: grep -qx hello greeting.txt && test -s .stamp && ! grep -q poison .stamp',
  'steps: [setup, agent, verify]',
  'limits:',
  '  rounds: 0',
  '',
].join('\n');

const of = (ended: Ended, type: string) =>
  ended.events.filter((event) => event.type === type).map(({ data }) => data as Record<string, unknown>);
const setups = (ended: Ended) => of(ended, 'command.started').filter(({ purpose }) => purpose === 'setup');

describe.skipIf(bubblewrapMissing !== null)(
  `snapshots of setup (${bubblewrapMissing ?? 'with bubblewrap'})`,
  () => {
    let hosted: HostedServer;
    beforeAll(async () => {
      // A key covers every program on PATH, and others may install some in directories of their own meanwhile.
      vi.stubEnv('PATH', '/usr/local/bin:/usr/bin:/bin');
      hosted = await hostServer({
        config: 'version: 1\nsandboxes:\n  - { name: default, snapshots: true }\n',
      });
    }, 180_000);
    afterAll(async () => {
      await hosted.close();
      vi.unstubAllEnvs();
    });

    test('a run makes one before its agent acts, and later ones restore it in both of their sandboxes', async () => {
      const repository = hosted.repository({
        'greeting.txt': 'helo\n',
        '.gitignore': '.stamp\n',
        '.berth/blueprint.yaml': blueprint,
      });
      const cassette = hosted.cassette([bash('echo poison > .stamp; echo hello > greeting.txt'), finish]);
      const go = async (): Promise<Ended> =>
        hosted.end(await hosted.start(repository, { text: 'Spell the word right', cassette }));
      /** Each of its sandboxes was restored, or set up for real: a restore that fails is made up for. */
      const isPrepared = (ended: Ended): boolean =>
        ['work', 'verify'].every(
          (purpose) =>
            of(ended, 'snapshot.restored').some((restored) => restored['purpose'] === purpose) ||
            setups(ended).some(({ id }) => String(id).startsWith(`setup/${purpose}/`)),
        );
      let made = 0;
      let restored: readonly unknown[] = [];
      // A busy machine can miss a snapshot; what agents leave behind must never be in one.
      for (let run = 0; run < 4 && restored.length < 2; run += 1) {
        const ended = await go();
        expect(of(ended, 'check.judged')).toMatchObject([{ verdict: 'passed' }]);
        expect(isPrepared(ended)).toBe(true);
        made += of(ended, 'snapshot.made').length;
        restored = of(ended, 'snapshot.restored').map(({ purpose }) => purpose);
      }
      expect(made).toBeGreaterThan(0);
      expect(restored).toEqual(['work', 'verify']);
    });
  },
);
