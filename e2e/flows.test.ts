import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { defaultRefusedRanges } from '../packages/server/src/egress/index.ts';
import type { SandboxRef } from '../packages/server/src/domain/ports/sandbox.ts';
import type { EventView } from '../packages/server/src/domain/views.ts';
import { defaultStateDirectory } from '../packages/server/src/sandboxes/bubblewrap/index.ts';
import { quickestMs } from '../packages/server/src/testing/quickest.ts';
import { endSleep } from './isolation/host-scan.ts';
import { hostServer, type HostedServer } from './support/hosted-server.ts';
import { bubblewrapMissing } from './support/parts.ts';

/** Adds a line to a file that is no part of the change, and prints how many there are: how often something ran. */
const count = 'echo x >> "$HOME/executions"; wc -l < "$HOME/executions"';

const blueprint = (more = ''): string => `version: 1
name: flow
setup:
  - run: 'echo set up > .set-up'
checks:
  - name: spelling
    kind: test
    run: 'test -f .set-up && grep -qx hello greeting.txt'
${more}`;

const files = {
  'greeting.txt': 'helo\n',
  '.gitignore': '.set-up\n',
  '.berth/blueprint.yaml': blueprint(),
};

/** A number of seconds that nothing else sleeps for. */
const restSeconds = 86_414;

const bash = (command: string) => ({ toolCalls: [{ name: 'bash', input: { command } }] });
const mend = { toolCalls: [{ name: 'edit', input: { path: 'greeting.txt', old: 'helo', new: 'hello' } }] };
const finish = { toolCalls: [{ name: 'finish', input: { result: 'done', summary: 'Spelled.' } }] };

const dataOf = (event: EventView): Record<string, unknown> => event.data as Record<string, unknown>;
const ofType =
  (type: string, fits: (data: Record<string, unknown>) => boolean = () => true) =>
  (event: EventView): boolean =>
    event.type === type && fits(dataOf(event));

describe.skipIf(bubblewrapMissing !== null)(
  `the way of a run (${bubblewrapMissing ?? 'with bubblewrap'})`,
  () => {
    let hosted: HostedServer;
    let web: Server;
    let webPort = 0;
    let reached = 0;

    beforeAll(async () => {
      web = createServer((_, response) => {
        reached += 1;
        response.end('from outside');
      });
      await new Promise<void>((resolve) => web.listen(0, '127.0.0.1', resolve));
      webPort = (web.address() as AddressInfo).port;
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

    const control = () => hosted.server().controlPlane;

    // One after the other: what is measured is how fast a run stops, not how busy the tests keep this machine.
    test('paused within two seconds, it goes on where it was and repeats no command', async () => {
      const took = await quickestMs(2_000, async () => {
        const cassette = hosted.cassette([bash(`${count}; sleep 3; echo slept`), mend, finish]);
        const runId = await hosted.start(hosted.repository(files), { cassette });
        await hosted.entry(runId, ofType('tool.started'));
        const askedMs = Date.now();
        const paused = await control().pause(runId, 'test', 'to look at it');
        expect(paused.status).toMatchObject({ state: 'paused', reason: 'to look at it' });
        const pausedAt = await hosted.entry(runId, ofType('run.paused'));
        const before = pausedAt.seq;
        await control().resume(runId, 'test', {});
        const { run, events } = await hosted.end(runId);
        expect(run.status).toMatchObject({ state: 'succeeded' });
        const call = events.filter(ofType('tool.ended', (data) => data['name'] === 'bash'));
        expect(call.map((event) => dataOf(event)['text'])).toEqual([expect.stringMatching(/^1\nslept/)]);
        expect(events.filter(ofType('tool.started', (data) => data['name'] === 'bash'))).toHaveLength(1);
        const between = events.filter((event) => event.seq > before).map((event) => event.type);
        expect(between.slice(0, 3)).toContain('run.resumed');
        expect(events.filter(ofType('sandbox.lost'))).toEqual([]);
        return Date.parse(pausedAt.at) - askedMs;
      });
      expect(took).toBeLessThan(2_000);
    });

    test('cancelled within two seconds, it keeps the work for all to read', async () => {
      const took = await quickestMs(2_000, async () => {
        const cassette = hosted.cassette([bash('echo hello > greeting.txt; echo written; sleep 50')]);
        const runId = await hosted.start(hosted.repository(files), { cassette });
        await hosted.output(runId, 'written');
        const askedMs = Date.now();
        await control().cancel(runId, 'test');
        const { run, events } = await hosted.end(runId);
        expect(run.status).toMatchObject({ state: 'cancelled', code: 'RUN_CANCELLED' });
        await expect(control().resume(runId, 'test', {})).rejects.toMatchObject({ code: 'CONFLICT' });
        await expect(control().cancel(runId, 'test')).rejects.toMatchObject({ code: 'CONFLICT' });
        // On a machine so busy that saving takes more than a second, the promise to stop goes first.
        if (!(await control().diff(runId)).includes('+hello')) return Infinity;
        return Date.parse(events.at(-1)!.at) - askedMs;
      });
      expect(took).toBeLessThan(2_000);
    });

    test('cancelled within two seconds, also while its sandbox answers nothing', async () => {
      const took = await quickestMs(2_000, async () => {
        const cassette = hosted.cassette([bash('echo begun; sleep 50')]);
        const runId = await hosted.start(hosted.repository(files), { cassette });
        const created = await hosted.entry(runId, ofType('sandbox.created'));
        await hosted.output(runId, 'begun');
        const { id } = dataOf(created)['ref'] as { id: string };
        process.kill(sandboxdOf(hosted.home, id), 'SIGSTOP');
        const askedMs = Date.now();
        await control().cancel(runId, 'test');
        const { run, events } = await hosted.end(runId);
        expect(run.status).toMatchObject({ state: 'cancelled', code: 'RUN_CANCELLED' });
        expect(events.slice(-2).map((event) => event.type)).toEqual(['sandbox.destroyed', 'run.ended']);
        return Date.parse(events.at(-1)!.at) - askedMs;
      });
      expect(took).toBeLessThan(2_000);
    });

    test('a paused run that is cancelled ends, and leaves no sandbox', async () => {
      const cassette = hosted.cassette([bash('echo begun; sleep 50')]);
      const runId = await hosted.start(hosted.repository(files), { cassette });
      await hosted.output(runId, 'begun');
      await control().pause(runId, 'test', 'to look at it');
      const cancelled = await control().cancel(runId, 'test');
      expect(cancelled.status).toMatchObject({ state: 'cancelled', code: 'RUN_CANCELLED' });
      const { events } = await hosted.end(runId);
      expect(events.slice(-2).map((event) => event.type)).toEqual(['sandbox.destroyed', 'run.ended']);
    });

    test.concurrent('what a person says reaches the model, and the log says when', async () => {
      const cassette = hosted.cassette([
        // Ended from outside, once both messages are there.
        bash(`sleep ${restSeconds} || true`),
        { ...mend, expect: { lastUserIncludes: 'Say it politely' } },
        finish,
        { ...finish, expect: { lastUserIncludes: 'And look at it once more' } },
      ]);
      const runId = await hosted.start(hosted.repository(files), { cassette });
      const created = await hosted.entry(runId, ofType('sandbox.created'));
      await hosted.entry(runId, ofType('tool.started'));
      const later = await control().steer(runId, 'ann', 'And look at it once more', 'after_step');
      const now = await control().steer(runId, 'ben', 'Say it politely', 'now');
      await endSleep(dataOf(created)['ref'] as SandboxRef, restSeconds);
      const { run, events } = await hosted.end(runId);
      expect(run.status).toMatchObject({ state: 'succeeded' });
      const told = events.filter(ofType('agent.told', (data) => data['kind'] === 'message'));
      expect(told.map((event) => dataOf(event)['messageId'])).toEqual([now.messageId, later.messageId]);
      await expect(control().steer(runId, 'ann', 'Too late', 'now')).rejects.toMatchObject({
        code: 'CONFLICT',
      });
    });

    const limits = [
      { name: 'cost', code: 'LIMIT_COST', limit: { costUsd: 0.2 }, raised: { costUsd: 2 } },
      { name: 'tokens', code: 'LIMIT_TOKENS', limit: { tokens: 40_000 }, raised: { tokens: 400_000 } },
      { name: 'steps', code: 'LIMIT_STEPS', limit: { steps: 2 }, raised: { steps: 20 } },
    ] as const;
    test.concurrent.each(limits)(
      'the limit of $name stops it with its code, is not exceeded, and raised it goes on',
      async ({ name, code, limit, raised }) => {
        const cassette = hosted.cassette([
          { ...bash('echo looked'), usage: { inputTokens: 30_000, outputTokens: 1_000 } },
          { ...bash('echo nearly > note.txt'), expect: { lastUserIncludes: 'This is your last turn' } },
          { ...mend, expect: { lastUserIncludes: 'somebody resumed it' } },
          finish,
        ]);
        const runId = await hosted.start(hosted.repository(files), { cassette, limits: limit });
        const first = await hosted.end(runId);
        expect(first.run.status).toMatchObject({ state: 'needs_human', code });
        expect(first.run.pullRequest).toMatchObject({ draft: true });
        expect(await control().diff(runId)).toContain('nearly');
        const row = first.run.limits.find((one) => one.name === name);
        expect(row?.used).toBeGreaterThan(0);
        expect(row?.used).toBeLessThanOrEqual(row?.cap ?? 0);

        await control().resume(runId, 'test', raised);
        const { run, events } = await hosted.end(runId);
        expect(run.status).toMatchObject({ state: 'succeeded' });
        expect(run.pullRequest).toEqual({ ...first.run.pullRequest, draft: false });
        expect(events.filter(ofType('model.requested'))).toHaveLength(4);
      },
    );

    test.concurrent('the limit of minutes stops what never ends, keeps the work as a draft, and raised it goes on', async () => {
      const cassette = hosted.cassette([
        bash('echo hello > greeting.txt; sleep 300'),
        { ...finish, expect: { lastUserIncludes: 'somebody resumed it', lastResultsInclude: 'nterrupted' } },
      ]);
      // Enough for a slow machine to come to the command.
      const limits = { minutes: 0.7 };
      const runId = await hosted.start(hosted.repository(files), { cassette, limits });
      const first = await hosted.end(runId);
      expect(first.run.status).toMatchObject({ state: 'needs_human', code: 'LIMIT_MINUTES' });
      expect(first.run.pullRequest).toMatchObject({ draft: true });
      expect(await control().diff(runId)).toContain('+hello');
      const stopped = first.events.find(ofType('step.ended', (data) => data['kind'] === 'agent'));
      const begun = first.events.find(ofType('run.owned'));
      expect(Date.parse(stopped!.at) - Date.parse(begun!.at)).toBeLessThan(120_000);

      await control().resume(runId, 'test', { minutes: 10 });
      const { run } = await hosted.end(runId);
      expect(run.status).toMatchObject({ state: 'succeeded' });
      expect(run.pullRequest).toEqual({ ...first.run.pullRequest, draft: false });
    });

    test.concurrent('without a proposal wanted, it is verified and kept as a branch', async () => {
      const cassette = hosted.cassette([mend, finish]);
      const runId = await hosted.start(hosted.repository(files), { cassette, propose: false });
      const { run, events } = await hosted.end(runId);
      expect(run.status).toMatchObject({ state: 'succeeded' });
      expect(run.status.reason).toContain(run.branch);
      expect(run.pullRequest).toBeNull();
      expect(events.filter((event) => event.type.startsWith('proposal.')).map((event) => event.type)).toEqual(
        ['proposal.made'],
      );
      expect(await control().diff(runId)).toContain('+hello');
    });

    test.concurrent('when the sandbox is lost, it goes on in a new one that is set up, and the model knows', async () => {
      const cassette = hosted.cassette([
        mend,
        bash(`${count}; sleep 50`),
        {
          ...bash('cat greeting.txt .set-up; ls "$HOME"'),
          expect: { lastUserIncludes: 'The sandbox was lost', lastResultsInclude: 'Interrupted' },
        },
        { ...finish, expect: { lastResultsInclude: 'hello\nset up' } },
      ]);
      const runId = await hosted.start(hosted.repository(files), { cassette });
      const created = await hosted.entry(runId, ofType('sandbox.created'));
      const saved = await hosted.entry(
        runId,
        ofType('checkpoint.saved', (data) => data['files'] === 1),
      );
      await hosted.entry(
        runId,
        ofType('tool.started', (data) => data['id'] === 't2-1'),
      );
      const { id } = dataOf(created)['ref'] as { id: string };
      process.kill(sandboxdOf(hosted.home, id), 'SIGKILL');
      const { run, events } = await hosted.end(runId);
      expect(run.status).toMatchObject({ state: 'succeeded' });
      const made = events.filter(ofType('sandbox.created', (data) => data['purpose'] === 'work'));
      expect(made).toHaveLength(2);
      expect(dataOf(made[1]!)['restoredFrom']).toBe(dataOf(saved)['id']);
      expect(events.filter(ofType('sandbox.lost'))).toHaveLength(1);
      const setUps = events.filter(
        ofType('command.started', (data) => String(data['id']).startsWith('setup/work/')),
      );
      expect(setUps).toHaveLength(2);
      // The call was recorded as interrupted and not run again.
      expect(events.filter(ofType('tool.started', (data) => data['id'] === 't2-1'))).toHaveLength(1);
    });

    test.concurrent('a check that failed before in the same way is recognised and not held against the change', async () => {
      const old = `printf 'src/old.ts(3,1): error TS2304: Cannot find name '; echo "'gone'."; exit 2`;
      const repository = hosted.repository({
        ...files,
        'old.sh': `${old}\n`,
        '.berth/blueprint.yaml': blueprint('  - name: types\n    kind: lint\n    run: sh old.sh\n'),
      });
      const cassette = hosted.cassette([mend, finish]);
      const runId = await hosted.start(repository, { text: 'Spell the word with two l', cassette });
      const { run, events } = await hosted.end(runId);
      const verdicts = events.filter(ofType('check.judged')).map((event) => event.title);
      expect(verdicts).toEqual([
        'types preexisting',
        'spelling passed',
        'types preexisting',
        'spelling passed',
      ]);
      expect(run.status).toMatchObject({ state: 'succeeded' });
      expect(run.status.reason).toContain('1 failed the same way before');
      expect(run.pullRequest).toMatchObject({ draft: false });
    });

    test.concurrent('a conversation that departs from its cassette ends with that code and says where', async () => {
      const cassette = hosted.cassette([
        mend,
        { ...finish, expect: { lastResultsInclude: 'what never comes' } },
      ]);
      const runId = await hosted.start(hosted.repository(files), { cassette });
      const { run, events } = await hosted.end(runId);
      expect(run.status).toMatchObject({ state: 'needs_human', code: 'CASSETTE_DEPARTED' });
      expect(run.status.reason).toMatch(/Call 2 of `agent`.*what never comes/s);
      expect(run.pullRequest).toMatchObject({ draft: true });
      expect(events.filter(ofType('model.failed'))).toHaveLength(1);
    });

    test.concurrent('nothing is reached from a sandbox but what a setup command was allowed', async () => {
      // As a program that knows of the proxy asks.
      const ask = `const { hostname: host, port } = new URL(process.env.HTTP_PROXY);
const headers = { host: 'allowed.example:${webPort}' };
require('http').get({ host, port, headers, path: 'http://allowed.example:${webPort}/' }, (answer) => {
  console.log(answer.statusCode === 200 ? 'reached' : 'refused ' + answer.statusCode);
  process.exitCode = answer.statusCode === 200 ? 0 : 1;
  answer.resume();
});
`;
      const repository = hosted.repository({
        ...files,
        'ask.cjs': ask,
        '.berth/blueprint.yaml': `version: 1
setup:
  - run: node ask.cjs
    egress: [{ host: allowed.example, ports: [${webPort}] }]
  - run: "! node ask.cjs"
checks:
  - name: alone
    kind: test
    run: '! node ask.cjs'
`,
      });
      const cassette = hosted.cassette([
        bash('node ask.cjs'),
        { ...mend, expect: { lastResultsInclude: 'refused 403' } },
        finish,
      ]);
      const runId = await hosted.start(repository, { cassette });
      const { run, events } = await hosted.end(runId);
      expect(run.status).toMatchObject({ state: 'succeeded' });
      // Once in the agent's sandbox and once in that of the verification.
      expect(reached).toBe(2);
      const decisions = events.filter(ofType('egress.decided')).map((event) => dataOf(event));
      expect(decisions.map((one) => one['allowed'])).toContain(true);
      expect(decisions.filter((one) => one['allowed'] === false)).not.toEqual([]);
    });

    test.concurrent('the same request delivered five times makes one task, one run and one pull request', async () => {
      const repository = hosted.repository(files);
      const cassette = hosted.cassette([mend, finish]);
      const ask = (): Promise<string> =>
        hosted.start(repository, { cassette }, { idempotencyKey: 'delivery-7' });
      const ids = await Promise.all([ask(), ask(), ask(), ask()]);
      const { run } = await hosted.end(ids[0]);
      expect(new Set([...ids, await ask()])).toEqual(new Set([run.id]));
      expect(run.status).toMatchObject({ state: 'succeeded' });
      const { runs } = await control().listRuns({ visible: 'all', project: run.project, limit: 10 });
      expect(runs).toHaveLength(1);
      expect(run.pullRequest).toMatchObject({ number: 1 });
    });

    test('a server that stops in good order and starts again goes on where it was', async () => {
      const cassette = hosted.cassette([bash(`${count}; sleep 4; echo slept`), mend, finish]);
      const runId = await hosted.start(hosted.repository(files), { cassette });
      await hosted.entry(runId, ofType('tool.started'));
      await hosted.restart();
      const { run, events } = await hosted.end(runId);
      expect(run.status).toMatchObject({ state: 'succeeded' });
      expect(events.filter(ofType('run.owned'))).toHaveLength(2);
      expect(events.filter(ofType('sandbox.lost'))).toEqual([]);
      const call = events.find(ofType('tool.ended', (data) => data['name'] === 'bash'));
      expect(dataOf(call!)['text']).toMatch(/^1\nslept/);
    });
  },
);

/** The process of a sandbox that holds its channel, by the note its driver keeps. */
function sandboxdOf(home: string, id: string): number {
  const path = join(defaultStateDirectory(home), 'sandboxes', id, 'place.json');
  const { sandboxd } = JSON.parse(readFileSync(path, 'utf8')) as { sandboxd: { pid: number } };
  return sandboxd.pid;
}
