import { writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { defaultRefusedRanges } from '../packages/server/src/egress/index.ts';
import type { EventView } from '../packages/server/src/domain/views.ts';
import { hostServer, type HostedServer } from './support/hosted-server.ts';
import { bubblewrapMissing } from './support/parts.ts';

const dataOf = (events: readonly EventView[], type: string): Record<string, unknown> =>
  (events.find((event) => event.type === type)?.data ?? {}) as Record<string, unknown>;
const bash = (command: string) => ({ toolCalls: [{ name: 'bash', input: { command } }] });
const mend = { toolCalls: [{ name: 'edit', input: { path: 'greeting.txt', old: 'helo', new: 'hello' } }] };
const finish = { toolCalls: [{ name: 'finish', input: { result: 'done', summary: 'Spelled.' } }] };
const check = `checks:
  - name: spelling
    kind: test
    run: grep -qx hello greeting.txt
`;

describe.skipIf(bubblewrapMissing !== null)(
  `configuration while runs are going (${bubblewrapMissing ?? 'with bubblewrap'})`,
  () => {
    let hosted: HostedServer;
    let web: Server;
    let port = 0;

    beforeAll(async () => {
      web = createServer((_, response) => response.end('from outside'));
      await new Promise<void>((resolve) => web.listen(0, '127.0.0.1', resolve));
      ({ port } = web.address() as AddressInfo);
      hosted = await hostServer({
        egress: {
          refusedRanges: defaultRefusedRanges.filter((range) => range !== '127.0.0.0/8'),
          resolve: () => Promise.resolve(['127.0.0.1']),
        },
      });
    });
    afterAll(async () => {
      await hosted.close();
      web.close();
    });

    let made = 0;
    /** Writes the file and waits until it counts: a limit that only this file has is refused from then on. */
    const configure = async (text: string): Promise<void> => {
      made += 1;
      const mark = 5_000 + made;
      writeFileSync(
        join(hosted.home, 'berth.yaml'),
        `version: 1\n${text}\n`.replace('limits: { run: {', `limits: { run: { steps: ${mark},`),
      );
      const repository = hosted.repository({ 'a.txt': 'a\n' });
      await vi.waitFor(
        () =>
          expect(hosted.start(repository, { limits: { steps: 9_999 } })).rejects.toThrow(
            `above the ${mark} that is allowed`,
          ),
        { timeout: 120_000, interval: 100 },
      );
    };

    test('a run keeps the limits it pinned, and the next one has the new', async () => {
      await configure('limits: { run: { costUsd: 3, minutes: 20 } }');
      const repository = hosted.repository({
        'greeting.txt': 'helo\n',
        '.berth/blueprint.yaml': `version: 1\n${check}`,
      });
      const cassette = hosted.cassette([bash('sleep 2; echo slept'), mend, finish]);
      const first = await hosted.start(repository, { cassette });
      await hosted.entry(first, (event) => event.type === 'tool.started');
      await configure('limits: { run: { costUsd: 1, minutes: 20 } }');
      const second = await hosted.start(repository, { cassette });
      const [one, two] = [await hosted.end(first), await hosted.end(second)];
      expect(dataOf(one.events, 'run.planned')).toMatchObject({ limits: { costUsd: 3 } });
      expect(dataOf(two.events, 'run.planned')).toMatchObject({ limits: { costUsd: 1 } });
      expect([one.run.status.state, two.run.status.state]).toEqual(['succeeded', 'succeeded']);
      const pins = [one, two].map(({ events }) => Number(dataOf(events, 'run.created')['configRevision']));
      expect(pins[1]).toBe((pins[0] ?? 0) + 1);
    });

    test('a host that is revoked is closed to a run that is going', async () => {
      await configure('limits: { run: { costUsd: 3 } }');
      // Asks again and again: ends well once it was let through first and is refused then. The request that is under way
      // when the host is revoked is cut off; that is no refusal yet.
      const ask = `const { hostname: host, port } = new URL(process.env.HTTP_PROXY);
const headers = { host: "allowed.example:WEBPORT" };
let reached = 0;
const ask = () => require('http').get({ host, port, headers, path: "http://allowed.example:WEBPORT/" }, (answer) => {
  answer.resume();
  if (answer.statusCode === 200) {
    reached += 1;
    if (reached === 1) console.log('reached the outside');
    setTimeout(ask, 50);
  } else if (answer.statusCode === 403) process.exit(reached > 0 ? 0 : 1);
  else setTimeout(ask, 50);
}).on("error", () => setTimeout(ask, 50));
ask();
`;
      const repository = hosted.repository({
        'greeting.txt': 'hello\n',
        'ask.cjs': ask.replaceAll('WEBPORT', String(port)),
        '.berth/blueprint.yaml': `version: 1
setup:
  - run: node ask.cjs
    egress: [{ host: allowed.example, ports: [${port}] }]
steps: [setup]
`,
      });
      const runId = await hosted.start(repository);
      await hosted.output(runId, 'reached the outside');
      await configure('limits: { run: { costUsd: 3 } }\negress: { deny: ["*.example"] }');
      const { events } = await hosted.end(runId);
      expect(dataOf(events, 'command.ended')).toMatchObject({ result: { exitCode: 0 } });
      const refusals = events.filter((event) => event.type === 'egress.decided').map((event) => event.title);
      expect(JSON.stringify(events.map((event) => event.data))).toContain('denied by the configuration');
      expect(refusals).not.toEqual([]);
    });

    test('a rule beyond the ceiling ends the run before it starts, with rule and ceiling', async () => {
      await configure('limits: { run: { costUsd: 3 } }\negress: { allow: [{ host: good.example }] }');
      const repository = hosted.repository({
        'greeting.txt': 'helo\n',
        '.berth/blueprint.yaml': `version: 1
setup:
  - run: "true"
    egress: [{ host: far.example }]
${check}`,
      });
      const { run } = await hosted.end(
        await hosted.start(repository, { cassette: hosted.cassette([finish]) }),
      );
      expect(run.status).toMatchObject({ state: 'failed', code: 'EGRESS_BEYOND_CEILING' });
      expect(run.status.reason).toContain('setup 1 opens far.example');
      expect(run.status.reason).toContain('allows only: good.example');
    });
  },
);
