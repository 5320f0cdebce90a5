import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Docker from 'dockerode';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { podmanIsMissing, testEngine, testImages } from '../packages/server/src/testing/podman.ts';
import { hostServer, type HostedServer } from './support/hosted-server.ts';

const blueprint = `version: 1
name: greeting
setup:
  - run: test "$FROM_IMAGE" = yes
checks:
  - name: greeting
    kind: test
    run: test "$FROM_IMAGE" = yes && grep -qx hello greeting.txt
limits:
  rounds: 0
`;
const profiles = (image: string): string => `version: 1
sandboxes:
  - name: default
    image: ${image}
    memoryMiB: 1024
`;

describe.skipIf(podmanIsMissing)(
  'whole runs in containers (Podman, busybox-static or root is missing)',
  () => {
    let hosted: HostedServer;
    let engine: string;
    beforeAll(async () => {
      engine = await testEngine();
      hosted = await hostServer({
        env: { DOCKER_HOST: `unix://${engine}` },
        config: profiles(testImages.debian),
      });
    });
    afterAll(() => hosted?.close());

    test.each([testImages.debian, testImages.busybox])(
      '%s: agent, checks and verification run in it, and a pull request is opened',
      async (image) => {
        const repository = hosted.repository({
          'greeting.txt': 'helo\n',
          '.berth/blueprint.yaml': blueprint,
        });
        await hosted.restart(() => writeFileSync(join(hosted.home, 'berth.yaml'), profiles(image)));
        const command =
          'echo hello >greeting.txt; mkdir -p sub/deep; echo x >"sub/deep/odd name"; git init -q nested';
        const cassette = hosted.cassette([
          { say: 'I spell the word right.', toolCalls: [{ name: 'bash', input: { command } }] },
          { toolCalls: [{ name: 'finish', input: { result: 'done', summary: 'Done.' } }] },
        ]);
        const ended = await hosted.end(await hosted.start(repository, { text: 'Spell it right', cassette }));
        expect(ended.run.status).toMatchObject({ state: 'succeeded' });
        const made = ended.events.filter(({ type }) => type === 'sandbox.created');
        expect(made.map(({ title }) => title)).toEqual([
          'work sandbox ready (container)',
          'verify sandbox ready (container)',
        ]);
        expect(ended.events.map(({ type }) => type)).toContain('proposal.opened');
        const left = await new Docker({ socketPath: engine }).listContainers({
          all: true,
          filters: { label: [`berth.run=${ended.run.id}`] },
        });
        expect(left).toEqual([]);
      },
    );

    test('a profile whose driver is not here ends the run with its code, before anything is made', async () => {
      const repository = hosted.repository({ 'greeting.txt': 'helo\n', '.berth/blueprint.yaml': blueprint });
      await hosted.restart(() =>
        writeFileSync(
          join(hosted.home, 'berth.yaml'),
          'version: 1\nsandboxes:\n  - name: default\n    image: x\n    driver: bubblewrap\n',
        ),
      );
      const ended = await hosted.end(await hosted.start(repository, { text: 'Spell it right' }));
      expect(ended.run.status).toMatchObject({ code: 'SANDBOX_UNSUPPORTED' });
      expect(ended.events.map(({ type }) => type)).not.toContain('sandbox.created');
    });
  },
);
