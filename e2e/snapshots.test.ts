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
    });
    afterAll(async () => {
      await hosted.close();
      vi.unstubAllEnvs();
    });

    test('the first run makes one before its agent acts; its verification and the next run restore that', async () => {
      const repository = hosted.repository({
        'greeting.txt': 'helo\n',
        '.gitignore': '.stamp\n',
        '.berth/blueprint.yaml': blueprint,
      });
      const cassette = hosted.cassette([bash('echo poison > .stamp; echo hello > greeting.txt'), finish]);
      const go = async (): Promise<Ended> =>
        hosted.end(await hosted.start(repository, { text: 'Spell the word right', cassette }));
      const first = await go();
      expect(of(first, 'snapshot.made')).toMatchObject([{ kept: true }]);
      expect(setups(first)).toHaveLength(1);
      expect(of(first, 'snapshot.restored')).toMatchObject([{ purpose: 'verify' }]);
      expect(of(first, 'check.judged')).toMatchObject([{ verdict: 'passed' }]);

      const second = await go();
      expect(setups(second)).toEqual([]);
      expect(of(second, 'snapshot.restored')).toMatchObject([{ purpose: 'work' }, { purpose: 'verify' }]);
      expect(of(second, 'check.judged')).toMatchObject([{ verdict: 'passed' }]);
      expect(of(second, 'snapshot.made')).toEqual([]);
    });
  },
);
