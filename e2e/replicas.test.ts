import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { createClient, socketPathOf } from '../packages/client/src/index.ts';
import { openTerminal } from '../packages/client/src/open-terminal.ts';
import type { EventView, RunView } from '../packages/server/src/domain/views.ts';
import { cassetteText, script } from '../packages/server/src/models/index.ts';
import { systemClock } from '../packages/server/src/domain/clock.ts';
import { isOutcome } from '../packages/server/src/domain/status.ts';
import {
  BubblewrapDriver,
  defaultStateDirectory,
} from '../packages/server/src/sandboxes/bubblewrap/index.ts';
import { bubblewrapMissing } from './support/parts.ts';
import { externalDatabase, type Replica, startReplica } from './support/replica.ts';
import { place, type Place, request } from './support/start-run.ts';
import { Viewer } from './support/viewer.ts';

/** Counts how often it was executed, then prints for a while: something to watch, and to be killed in the middle of. */
const ticking = (seconds: number): string =>
  `echo x >> "$HOME/executions"; echo "execution $(wc -l < "$HOME/executions")"; ` +
  `for i in $(seq ${seconds * 4}); do echo "tick $i"; sleep 0.25; done`;

const files = {
  'README.md': '# sample\n',
  'greeting.txt': 'helo\n',
  '.berth/blueprint.yaml': `version: 1
name: replicas
checks:
  - name: spelling
    kind: test
    run: grep -qx hello greeting.txt
`,
};

/** Fifty are tried with `E2E_CROWD=50`; what can go wrong does so among fewer. */
const crowd = Number(process.env['E2E_CROWD'] ?? '10');
const crowdPatience = { timeout: 600_000, interval: 500 };
const patience = { timeout: 120_000, interval: 100 };

/** Promise 3 over replicas: two API and two worker processes over one PostgreSQL, each killed in turn. */
describe.skipIf(bubblewrapMissing !== null)(`replicas (${bubblewrapMissing ?? 'with bubblewrap'})`, () => {
  let here: Place;
  let database: Awaited<ReturnType<typeof externalDatabase>>;
  let apis: Replica[] = [];
  let workers: Replica[] = [];
  let token: string;
  const viewers: Viewer[] = [];

  const start = (parts: 'api' | 'worker'): Promise<Replica> =>
    startReplica(parts, { home: here.home, databaseUrl: database.url });

  beforeAll(async () => {
    here = place(files);
    mkdirSync(here.home, { recursive: true });
    database = await externalDatabase();
    apis = [await start('api')];
    const local = createClient({ socketPath: socketPathOf(here.home) });
    token = (await local.createToken({ purpose: 'viewers' })).secret;
    const [second, ...others] = await Promise.all([start('api'), start('worker'), start('worker')]);
    apis.push(second);
    workers = others;
  });
  afterAll(async () => {
    for (const viewer of viewers) viewer.stop();
    for (const replica of [...apis, ...workers]) replica.kill('SIGKILL');
    await Promise.all([...apis, ...workers].map((replica) => replica.exit));
    await database.remove();
    here.remove();
  });

  const urls = (): string[] => apis.map((api) => api.url);
  const call = async <Answer>(path: string, init: RequestInit = {}): Promise<Answer> => {
    const response = await fetch(`${urls()[0]}${path}`, {
      ...init,
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    });
    if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
    return (await response.json()) as Answer;
  };
  const startRun = async (name: string, seconds: readonly number[]): Promise<string> => {
    const cassette = join(here.directory, `${name}.jsonl`);
    const calls = seconds.map((s) => ({ toolCalls: [{ name: 'bash', input: { command: ticking(s) } }] }));
    writeFileSync(
      cassette,
      cassetteText(
        script([
          ...calls,
          { toolCalls: [{ name: 'edit', input: { path: 'greeting.txt', old: 'helo', new: 'hello' } }] },
          { toolCalls: [{ name: 'finish', input: { result: 'done', summary: 'Spelled.' } }] },
        ]),
      ),
    );
    const { repository, text, options } = request(here.repository, { text: `Mend ${name}`, cassette });
    // Over the socket: only somebody of this machine may name a cassette.
    const local = createClient({ socketPath: socketPathOf(here.home) });
    const { run } = await local.createTask(
      { repository, text, options: { cassette: options.cassette } },
      name,
    );
    return run.id;
  };
  const watch = (runId: string): Viewer => {
    const viewer = new Viewer(runId, urls, token);
    viewers.push(viewer);
    return viewer;
  };
  const workerOf = (viewer: Viewer): string => {
    const owned = viewer.events.findLast((event) => event.type === 'run.owned');
    return (owned?.data as { worker?: string } | undefined)?.worker ?? '';
  };
  /** The process that took this lease. */
  const processOf = (worker: string): Replica =>
    workers.find((one) => one.log.some((line) => line.msg === 'worker ready' && line['worker'] === worker))!;
  const outputs = (viewer: Viewer): number =>
    viewer.frames.filter(({ frame }) => frame.kind === 'output').length;
  const moreOutput = async (viewer: Viewer): Promise<void> => {
    const before = outputs(viewer);
    await vi.waitFor(() => expect(outputs(viewer)).toBeGreaterThan(before + 1), patience);
  };
  /** Kills a process and starts another in its place, as a supervisor does. */
  const replace = async (list: Replica[], victim: Replica): Promise<void> => {
    victim.kill('SIGKILL');
    expect((await victim.exit).signal).toBe('SIGKILL');
    list.splice(list.indexOf(victim), 1);
    const parts = victim.parts === 'api' ? 'api' : 'worker';
    list.push(await start(parts));
  };

  test('each is killed in turn while commands run: every event once, live output goes on, the runs end as undisturbed', async () => {
    const runs = await Promise.all([startRun('one', [8, 6]), startRun('two', [8, 6])]);
    const watching = runs.map((runId) => watch(runId));
    const [first, second] = watching as [Viewer, Viewer];
    await Promise.all(watching.map(moreOutput));

    const firstWorker = workerOf(first);
    await replace(workers, processOf(firstWorker));
    await vi.waitFor(() => expect(workerOf(first)).not.toBe(firstWorker), patience);
    await moreOutput(first);

    await replace(apis, apis[0]!);
    const secondWorker = workerOf(second);
    await replace(workers, processOf(secondWorker));
    await vi.waitFor(() => expect(workerOf(second)).not.toBe(secondWorker), patience);
    await replace(apis, apis[0]!);

    await Promise.all(watching.map((viewer) => viewer.done));
    for (const [at, viewer] of watching.entries()) {
      expect(viewer.events.map((event) => event.seq)).toEqual(viewer.events.map((_, index) => index + 1));
      const run = await call<RunView>(`/api/v1/runs/${runs[at]}`);
      expect(run.status).toMatchObject({ state: 'succeeded' });
      expect(run.seq).toBe(viewer.events.length);
      expect(executions(viewer.events)).toEqual(['execution 1', 'execution 2']);
      expect(viewer.events.filter((event) => event.type === 'proposal.opened')).toHaveLength(1);
    }
  });

  test('a terminal through a replica that is no worker outlives the worker: the same shell, and no byte is lost', async () => {
    const runId = await startRun('three', [25]);
    const viewer = watch(runId);
    await moreOutput(viewer);
    let screen = '';
    const notices: string[] = [];
    const shell = await openTerminal(
      { url: apis[0]!.url, token },
      runId,
      { columns: 80, rows: 24 },
      {
        output: (data) => {
          screen += Buffer.from(data).toString();
        },
        notice: (text) => notices.push(text),
      },
    );
    const shows = (text: string): Promise<void> => vi.waitFor(() => expect(screen).toContain(text), patience);
    const type = (text: string): void => shell.type(Buffer.from(text));
    type('kept=yes; echo "shell is $$"; stty size\r');
    await shows('24 80');
    const pid = /shell is (\d+)/.exec(screen)?.[1];
    // Prints across the kill: what comes meanwhile waits in the sandbox.
    type('for i in $(seq 1 40); do echo "line $i."; sleep 0.1; done\r');
    await shows('line 3.');
    const worker = workerOf(viewer);
    await replace(workers, processOf(worker));
    await shows('line 40.');
    expect([...screen.matchAll(/^line (\d+)\.\r?$/gm)].map((match) => Number(match[1]))).toEqual(
      Array.from({ length: 40 }, (_, index) => index + 1),
    );
    shell.resize(100, 30);
    type('echo "still $kept in $$"; stty size\r');
    await shows(`still yes in ${pid}`);
    await shows('30 100');
    expect(notices.join(' ')).toMatch(/changes its worker.*Attached again/);
    type('exit 3\r');
    expect(await shell.ended).toEqual({ kind: 'exit', exitCode: 3 });
    await vi.waitFor(() => {
      const closed = viewer.events.find((event) => event.type === 'terminal.closed');
      expect(closed?.data).toMatchObject({ reason: 'exit', exitCode: 3 });
    }, patience);
    const typed = viewer.events
      .filter((event) => event.type === 'terminal.typed')
      .flatMap((event) => (event.data as { lines: { text: string }[] }).lines.map((line) => line.text));
    expect(typed).toContain('exit 3');
    await call(`/api/v1/runs/${runId}/cancel`, { method: 'POST', body: '{}' });
    await viewer.done;
  });

  test('SIGTERM hands the runs back at once, and the process ends with 143', async () => {
    const runId = await startRun('four', [6]);
    const viewer = watch(runId);
    await moreOutput(viewer);
    const worker = workerOf(viewer);
    const victim = processOf(worker);
    victim.kill('SIGTERM');
    expect(await victim.exit).toEqual({ code: 143, signal: null });
    expect(victim.log.map((line) => line.msg)).toContain('stopped');
    workers.splice(workers.indexOf(victim), 1);
    await vi.waitFor(() => expect(workerOf(viewer)).not.toBe(worker), patience);
    await viewer.done;
    expect(executions(viewer.events)).toEqual(['execution 1']);
    expect(viewer.events.at(-1)).toMatchObject({ type: 'run.ended', data: { outcome: 'succeeded' } });
  });

  test(`${crowd} runs, with each replica killed and PostgreSQL restarted: each ends well, once, and leaves nothing behind`, async () => {
    const ids: string[] = [];
    for (let place = 0; place < crowd; place += 1) ids.push(await startRun(`crowd-${place}`, [0.25]));
    const disturbances = [
      () => replace(workers, workers[0]!),
      () => replace(apis, apis[0]!),
      () => database.restart(),
      () => replace(workers, workers[0]!),
      () => replace(apis, apis[0]!),
    ];
    let most = 0;
    const ended = async (): Promise<number> => {
      // While the database or a replica is away nobody can say.
      const views = await Promise.all(ids.map((id) => call<RunView>(`/api/v1/runs/${id}`))).catch(() => []);
      most = Math.max(most, views.filter(({ status }) => isOutcome(status.state)).length);
      return most;
    };
    for (const [place, disturb] of disturbances.entries()) {
      const due = Math.floor((place * crowd) / (disturbances.length + 1));
      await vi.waitFor(async () => expect(await ended()).toBeGreaterThanOrEqual(due), crowdPatience);
      await disturb();
    }
    await vi.waitFor(async () => expect(await ended()).toBe(crowd), crowdPatience);
    const pullRequests = new Set<number>();
    for (const id of ids) {
      const run = await call<RunView>(`/api/v1/runs/${id}`);
      const { events } = await call<{ events: EventView[] }>(`/api/v1/runs/${id}/events?limit=1000`);
      expect([id, run.status.state, run.status.reason]).toEqual([id, 'succeeded', run.status.reason]);
      expect(events.map((event) => event.seq)).toEqual(events.map((_, index) => index + 1));
      expect(run.seq).toBe(events.length);
      for (const once of ['run.created', 'run.planned', 'proposal.opened', 'run.ended']) {
        expect([id, once, events.filter((event) => event.type === once).length]).toEqual([id, once, 1]);
      }
      expect(executions(events)).toEqual(['execution 1']);
      pullRequests.add(run.pullRequest?.number ?? -1);
    }
    expect(pullRequests.size).toBe(crowd);
    expect(pullRequests).not.toContain(-1);
    // Promise 3: no orphan after two minutes.
    const driver = new BubblewrapDriver({
      stateDirectory: defaultStateDirectory(here.home),
      clock: systemClock,
    });
    await vi.waitFor(async () => expect(await driver.list()).toEqual([]), {
      timeout: 120_000,
      interval: 500,
    });
  }, 900_000);
});

/** How often the counted commands were executed, as they themselves printed it. */
function executions(events: readonly EventView[]): string[] {
  return events
    .filter((event) => event.type === 'tool.ended')
    .flatMap((event) => /execution \d+/.exec((event.data as { text: string }).text)?.[0] ?? []);
}
