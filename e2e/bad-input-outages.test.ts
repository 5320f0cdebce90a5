import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { cassetteText, script } from '../packages/server/src/models/index.ts';
import { systemClock } from '../packages/server/src/domain/clock.ts';
import type { CreateTask } from '../packages/server/src/domain/ports/control-plane.ts';
import { bubblewrapMissing } from './support/parts.ts';
import { postmasterOf, signalProcess, stopServer } from './support/postgres.ts';
import { request } from './support/start-run.ts';
import { dataOf, openWorld, withBlueprint, changing, type RunResult, type World } from './support/world.ts';

/** Adds a line to a file that no checkpoint holds, and prints how many there are: how often it was executed. */
const count = 'echo x >> "$HOME/executions"; wc -l < "$HOME/executions"';
const dayMs = 24 * 60 * 60_000;

/** Clocks that jump and a database that goes away in the middle: the run goes on, nothing is lost or doubled. */
describe.skipIf(bubblewrapMissing !== null)(`bad input: outages (${bubblewrapMissing ?? 'bwrap'})`, () => {
  let world: World;
  let offsetMs = 0;
  /** Called once, at the first entry of this type that was appended. */
  let at: { readonly type: string; readonly act: () => void } | null = null;
  const onAppended = (_state: unknown, types: readonly string[]): void => {
    if (at === null || !types.includes(at.type)) return;
    const { act } = at;
    at = null;
    act();
  };
  beforeAll(async () => {
    const clock = { ...systemClock, nowMs: () => systemClock.nowMs() + offsetMs };
    world = await openWorld({ clock, onAppended });
  });
  afterAll(() => world.remove());

  /** A run with an agent: a failing check, a repair round, a verification. Every command counts itself. */
  const task = (name: string): CreateTask => {
    const repository = world.repository(name, {
      'greeting.txt': 'helo\n',
      '.berth/blueprint.yaml': `version: 1
setup:
  - run: '${count}'
checks:
  - name: spelling
    kind: test
    run: '${count}; sleep 0.3; grep -qx hello greeting.txt'
`,
    });
    const cassette = join(world.directory, `${name}.jsonl`);
    const answers = script([
      { toolCalls: [{ name: 'bash', input: { command: `${count}; sleep 0.5; cat greeting.txt` } }] },
      { toolCalls: [{ name: 'edit', input: { path: 'greeting.txt', old: 'helo', new: 'helloo' } }] },
      { toolCalls: [{ name: 'finish', input: { result: 'done', summary: 'Spelled.' } }] },
      { toolCalls: [{ name: 'edit', input: { path: 'greeting.txt', old: 'helloo', new: 'hello' } }] },
      { toolCalls: [{ name: 'finish', input: { result: 'done', summary: 'Spelled right.' } }] },
    ]);
    writeFileSync(cassette, cassetteText(answers));
    return request(repository, { text: 'Mend the greeting', cassette });
  };

  const whole = async (result: RunResult): Promise<void> => {
    const { run, events } = result;
    expect(run.status).toMatchObject({ state: 'succeeded' });
    expect(events.map((event) => event.seq)).toEqual(events.map((_, place) => place + 1));
    // Setup, the agent's look, the check before and after the repair in one sandbox; setup and check in the next.
    const counted = events
      .filter((event) => event.type === 'command.ended' || event.type === 'tool.ended')
      .map((event) => event.data as { tail?: string; text?: string })
      .flatMap((data) => /^\s*(\d+)$/m.exec(data.tail ?? data.text ?? '')?.[1] ?? []);
    expect(counted.filter((value) => value === '4')).toHaveLength(1);
    expect(counted.filter((value) => value === '5')).toHaveLength(0);
    expect(dataOf(result, 'proposal.opened')).toHaveLength(1);
    expect(dataOf(result, 'model.answered')).toHaveLength(5);
    const { proposal } = run;
    expect((await world.server.controlPlane.getProposal(proposal ?? '')).verified).toBe(true);
  };

  test.each([
    ['forward by a month', 'tool.started', 30 * dayMs],
    ['back by a year', 'tool.started', -365 * dayMs],
    ['forward while a sandbox is made', 'run.planned', dayMs],
  ])('a clock that jumps %s costs a run nothing', async (name, type, jumpMs) => {
    at = {
      type,
      act: () => {
        offsetMs += jumpMs;
      },
    };
    const result = await world.run(task(`clock-${name.replaceAll(' ', '-')}`));
    await whole(result);
    const times = result.events.map((event) => Date.parse(event.at));
    expect(times).toEqual([...times].sort((left, right) => left - right));
    const minutes = result.run.limits.find((limit) => limit.name === 'minutes');
    expect(minutes?.used).toBeLessThan(5);
    for (const step of result.run.steps) expect(step.durationMs).toBeLessThan(5 * 60_000);
  });

  test('after jumps the next runs are listed, newest first, and can be asked for', async () => {
    const { runs } = await world.server.controlPlane.listRuns({ visible: 'all', limit: 10 });
    expect(runs.length).toBeGreaterThanOrEqual(3);
    expect((await world.server.controlPlane.getRun('latest')).id).toBe(runs[0]?.id);
  });

  test('a database that hangs for ten seconds holds the run up, and no more', async () => {
    let resumed: Promise<void> = Promise.resolve();
    at = {
      type: 'tool.started',
      act: () => {
        const resume = stopServer(postmasterOf(world));
        resumed = wait(10_000).then(resume);
      },
    };
    const result = await world.run(task('hanging'));
    await resumed;
    await whole(result);
  });

  test.each(['tool.planned', 'proposal.made'])(
    'a database that is killed at %s comes back, and the run goes on',
    async (type) => {
      at = {
        type,
        act: () => signalProcess(postmasterOf(world), 'SIGKILL'),
      };
      await whole(await world.run(task(`killed-${type}`)));
    },
  );

  test('two runs on the same repository at once have a branch and a pull request each', async () => {
    const repository = world.repository('shared');
    const ids = await Promise.all(
      [1, 2, 3].map((n) =>
        world.start(withBlueprint(repository, changing(`sleep 0.3; echo ${n} > ${n}.txt`), { text: `${n}` })),
      ),
    );
    const results = await Promise.all(ids.map((id) => world.ended(id)));
    for (const { run } of results) expect(run.status).toMatchObject({ state: 'succeeded' });
    expect(new Set(results.map(({ run }) => run.branch)).size).toBe(3);
    expect(new Set(results.map(({ run }) => run.pullRequest?.number)).size).toBe(3);
    for (const { run } of results) {
      const merged = await world.server.controlPlane.mergeProposal(run.id, 'test');
      expect(merged.pr).toMatchObject({ state: 'merged' });
    }
  });
});
