import { existsSync } from 'node:fs';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { socketPathOf } from '@berth/client';
import { quickestMs } from '@berth/server/testing/quickest.ts';
import { World, type Running } from './testing/spawn-berth.ts';

let world: World;
beforeEach(() => {
  world = new World();
});
afterEach(async () => world.end());

/** In the middle of the agent's step; at the end of the check after it. */
const thinking = 'model.requested 2:agent/model-1';
const checked = 'step.ended 3:check';

const idIn = (run: Running): string => /run (r-\w+) of/.exec(run.stderr())?.[1] ?? 'none';

/** The whole log, each seq once and without gaps. */
async function wholeLog(id: string): Promise<{ type: string; at: string }[]> {
  const { stdout } = await world.run(['logs', id, '--jsonl']);
  const events = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { seq: number; type: string; at: string });
  expect(events.map((event) => event.seq)).toEqual(events.map((_, place) => place + 1));
  return events;
}

test('without a server the command hosts one, reachable by others, and takes it away at its end', async () => {
  const run = world.start(['run', 'fix it'], { env: world.holding(thinking) });
  await run.wrote('step.started agent');
  const other = await world.run(['status', idIn(run)]);
  expect(other.stdout).toContain('running');
  expect(other.stderr).not.toContain('Starting');
  world.letGo(thinking);
  const { code, stdout } = await run.finished;
  expect([code, stdout]).toEqual([0, 'file:///forge/demo/pulls/1\n']);
  expect(existsSync(socketPathOf(world.home))).toBe(false);
});

test('Ctrl-C at the host pauses the run within two seconds and prints the line that resumes it', async () => {
  const took = await quickestMs(2_000, async () => {
    const run = world.start(['run', 'fix it'], { env: world.holding(thinking) });
    await run.wrote('step.started agent');
    const id = idIn(run);
    const askedMs = Date.now();
    run.child.kill('SIGINT');
    const { code, stderr, stdout } = await run.finished;
    expect([code, stdout]).toEqual([130, '']);
    expect(stderr).toContain(`Paused; nothing is lost. Go on: \`berth resume ${id}\``);
    const resumed = await world.run(['resume', id]);
    expect([resumed.code, resumed.stdout]).toEqual([0, 'file:///forge/demo/pulls/1\n']);
    expect(resumed.stderr).not.toContain('run.created');
    const log = await wholeLog(id);
    // The promise is when the run stands still; how long the process then takes to leave is the machine's.
    const pausedMs = Date.parse(log.find((event) => event.type === 'run.paused')?.at ?? '');
    const types = log.map((event) => event.type);
    expect(types.filter((type) => type === 'run.paused' || type === 'run.resumed')).toEqual([
      'run.paused',
      'run.resumed',
    ]);
    expect(types.filter((type) => type === 'run.created')).toHaveLength(1);
    return pausedMs - askedMs;
  });
  expect(took).toBeLessThan(2_000);
});

test('Ctrl-C elsewhere only stops watching: the run goes on', async () => {
  const plane = await world.serve({ hold: [thinking] });
  const run = world.start(['run', 'fix it']);
  await run.wrote('step.started agent');
  const id = idIn(run);
  run.child.kill('SIGINT');
  const { code, stderr } = await run.finished;
  expect(code).toBe(130);
  expect(stderr).toContain(`The run goes on. \`berth logs -f ${id}\` · \`berth cancel ${id}\``);
  expect(plane.acts).toEqual([]);
  world.letGo(thinking);
  expect((await world.run(['logs', '-f', id])).code).toBe(0);
});

test('SIGTERM at the host pauses too, and exits 143', async () => {
  const run = world.start(['run', 'fix it'], { env: world.holding(thinking) });
  await run.wrote('step.started agent');
  const id = idIn(run);
  run.child.kill('SIGTERM');
  expect((await run.finished).code).toBe(143);
  expect((await world.run(['status', id])).stdout).toContain('paused');
});

test('two at once: the second uses the first one’s server and takes over when the first ends', async () => {
  const first = world.start(['run', 'one'], { env: world.holding(checked) });
  await first.wrote('run.created');
  const second = world.start(['run', 'two'], { env: { FAKE_PACE: '0.2' } });
  await second.wrote('run.created');
  expect(second.stderr()).not.toContain('Starting the server');
  await first.wrote('step.started check');
  first.child.kill('SIGKILL');
  const { code, stdout, stderr } = await second.finished;
  expect(stderr).toContain('connection lost');
  expect(stderr).toContain('taken over by this process');
  expect([code, stdout]).toEqual([0, 'file:///forge/demo/pulls/1\n']);
  expect((await wholeLog(idIn(second))).at(-1)?.type).toBe('run.ended');
  // Two different events of one second can read the same: what counts is that each is shown once, in order.
  const { stdout: log } = await world.run(['logs', idIn(second), '--jsonl']);
  const unfolded = log
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { type: string; importance: string })
    .filter(({ importance }) => importance !== 'low');
  const types = new Set(unfolded.map(({ type }) => type));
  const shown = stderr.split('\n').map((line) => line.split(' ')[2] ?? '');
  expect(shown.filter((word) => types.has(word))).toEqual(unfolded.map(({ type }) => type));
  const resumed = await world.run(['logs', '-f', idIn(first)]);
  expect(resumed.code).toBe(0);
});

test('a run left running with --detach is carried on by a process of its own', async () => {
  const { stdout, code } = await world.run(['run', 'fix it', '--detach'], { env: { FAKE_PACE: '0.2' } });
  expect(code).toBe(0);
  const id = stdout.trim();
  await expect
    .poll(async () => (await world.run(['show', id, '--json=status'])).stdout, { interval: 100 })
    .toContain('"succeeded"');
  await expect.poll(() => existsSync(socketPathOf(world.home))).toBe(false);
});

test('a data directory with a long path works through a short socket', async () => {
  const home = `${world.directory}/${'long-'.repeat(30)}`;
  const { code } = await world.run(['run', 'fix it'], { env: { BERTH_HOME: home } });
  expect(code).toBe(0);
});
