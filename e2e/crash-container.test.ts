import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Docker from 'dockerode';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { cassetteText, script } from '../packages/server/src/models/index.ts';
import { podmanIsMissing, testEngine, testImages } from '../packages/server/src/testing/podman.ts';
import { live, place, type Place, request } from './support/start-run.ts';

/** Adds a line outside of the change and prints how many there are: the log shows how often each was executed. */
const count = 'echo x >> "$HOME/executions"; wc -l < "$HOME/executions"';

const files = {
  'greeting.txt': 'helo\n',
  '.berth/blueprint.yaml': `version: 1
name: crash
setup:
  - run: '${count}; sleep 0.5'
checks:
  - name: spelling
    kind: test
    run: '${count}; sleep 0.5; grep -qx hello greeting.txt'
steps: [setup, agent, check, verify]
`,
};

const cassette = cassetteText(
  script([
    {
      say: 'I look.',
      toolCalls: [{ name: 'bash', input: { command: `${count}; sleep 0.5; echo hello > greeting.txt` } }],
    },
    { toolCalls: [{ name: 'finish', input: { result: 'done', summary: 'Spelled.' } }] },
  ]),
);

/** Promise 3 with containers: `kill -9` of the worker while its run has one. */
describe.skipIf(podmanIsMissing)('crash with containers (Podman, busybox-static or root is missing)', () => {
  let here: Place;
  let engine = '';
  let cassettePath: string;
  beforeAll(async () => {
    engine = await testEngine();
    here = place(files);
    mkdirSync(here.home, { recursive: true });
    writeFileSync(
      join(here.home, 'berth.yaml'),
      `version: 1\nsandboxes:\n  - { name: default, image: "${testImages.debian}", memoryMiB: 1024 }\n`,
    );
    cassettePath = join(here.directory, 'cassette.jsonl');
    writeFileSync(cassettePath, cassette);
  });
  afterAll(() => here?.remove());

  const containersOf = (runId: string) =>
    new Docker({ socketPath: engine }).listContainers({
      all: true,
      filters: { label: [`berth.run=${runId}`] },
    });
  /** Processes of this machine that name a sandbox. */
  const processesOf = (sandboxId: string): string[] =>
    readdirSync('/proc').filter((pid) => {
      try {
        return /^\d+$/.test(pid) && readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(sandboxId);
      } catch {
        return false;
      }
    });

  test.each(['sandbox.created:1', 'command.started:1', 'tool.started:1', 'sandbox.created:2'])(
    'killed at %s: the next worker has the same container, nothing runs twice, nothing is left',
    async (moment) => {
      const env = { DOCKER_HOST: `unix://${engine}` };
      const asked = JSON.stringify(
        request(here.repository, { text: 'Mend the greeting', cassette: cassettePath }),
      );
      const first = await live(here.home, { ...env, E2E_REQUEST: asked, E2E_KILL_AT: moment });
      expect([first.killed, first.runId]).toEqual([true, expect.any(String)]);
      const between = await containersOf(first.runId!);
      expect(between.map(({ State }) => State)).toContain('running');

      const { ended, stderr } = await live(here.home, { ...env, E2E_RUN: first.runId! });
      if (ended === null) throw new Error(stderr);
      expect(ended.run.status).toMatchObject({ state: 'succeeded' });
      const made = ended.events.filter(({ type }) => type === 'sandbox.created');
      expect(made.map(({ title }) => title)).toEqual([
        'work sandbox ready (container)',
        'verify sandbox ready (container)',
      ]);
      const counted = ended.events
        .filter(({ type }) => type === 'command.ended' || type === 'tool.ended')
        .map(({ data }) => {
          const { tail, text } = data as { tail?: string; text?: string };
          return /^\s*\d+$/m.exec(tail ?? text ?? '')?.[0].trim() ?? '-';
        });
      // Setup, tool and check in the one, setup and check in the other.
      expect(counted.filter((one) => one !== '-')).toEqual(['1', '2', '3', '1', '2']);
      expect(await containersOf(first.runId!)).toEqual([]);
      for (const { data } of made) {
        const { id } = (data as { ref: { id: string } }).ref;
        expect(processesOf(id)).toEqual([]);
        expect(readFileSync('/proc/self/mounts', 'utf8')).not.toContain(id);
      }
    },
  );
});
