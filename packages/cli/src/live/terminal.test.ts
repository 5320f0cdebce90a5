import { afterEach, beforeEach, expect, test } from 'vitest';
import { World } from '../testing/spawn-berth.ts';
import { hasTmux, Terminal } from '../testing/terminal.ts';

let world: World;
let terminal: Terminal;
beforeEach(() => {
  world = new World();
  terminal = new Terminal(world.directory);
});
afterEach(async () => {
  if (hasTmux) await terminal.close();
  await world.end();
});

/** In the middle of the agent's step, and while the check runs. */
const thinking = 'model.requested 2:agent/model-2';
const testing = 'command.ended 3:check/test';

test.skipIf(!hasTmux)('at 80×24 the run moves in place, its rows stay in the scrollback (tmux)', async () => {
  const env = { FAKE_PACE: '0.5', ...world.holding(thinking, testing) };
  await terminal.open(world, 80, 24, ['run', 'fix the flaky date test'], env);
  await terminal.shows(/prefetch ✔\d.*agent ●/);
  world.letGo(thinking);
  await terminal.shows(/\$ npm test +running/);
  world.letGo(testing);
  await terminal.shows('✔ succeeded');
  await terminal.shows('exit 0');
  const history = await terminal.history();
  for (const once of ['✔ setup passed', 'DENIED', '✖ check failed', '✔ verify passed']) {
    expect(history.split(once).length - 1).toBe(1);
  }
  // The panel was taken away before it was drawn again: it is there once.
  expect(history.match(/cost \$/g)).toHaveLength(1);
  expect(history).toContain('read 2 files');
});

test.skipIf(!hasTmux)('a terminal made smaller and larger leaves no rubbish behind (tmux)', async () => {
  await terminal.open(world, 100, 30, ['run', 'fix it'], world.holding(thinking));
  await terminal.shows(/agent ●/);
  for (const [columns, rows] of [
    [64, 20],
    [120, 40],
    [80, 12],
    [90, 24],
  ] as const) {
    await terminal.resize(columns, rows);
    await terminal.shows(/cost \$/);
    await expect.poll(async () => (await terminal.screen()).match(/ tok \S+\/1.5M/g)?.length).toBe(1);
  }
});

test.skipIf(!hasTmux)('under 60 columns there are plain lines and no panel (tmux)', async () => {
  await terminal.open(world, 50, 20, ['run', 'fix it'], { FAKE_PACE: '0.3' });
  await terminal.shows('file:///forge/demo/pulls/1');
  const history = await terminal.history();
  expect(history).not.toContain('tok ');
  expect(history).toMatch(/^\d\d:\d\d:\d\d verify passed/m);
});

test.skipIf(!hasTmux)('Ctrl-C pauses, gives the cursor back and says how to go on (tmux)', async () => {
  await terminal.open(world, 80, 24, ['run', 'fix it'], world.holding(thinking));
  await terminal.shows(/agent ●/);
  await terminal.press('C-c');
  await terminal.shows('Paused; nothing is lost. Go on: `berth resume r-');
  await terminal.shows('exit 130');
  expect(await terminal.showsCursor()).toBe(true);
  const history = await terminal.history();
  expect(history).toContain('‖ paused');
  expect(history.match(/ tok /g)).toHaveLength(1);
  expect(history).not.toContain('running');
});

test.skipIf(!hasTmux)(
  'what a repository prints cannot move the cursor, set a title or reorder text (tmux)',
  async () => {
    await terminal.open(world, 100, 40, ['run', '{hostile} fix it'], { FAKE_PACE: '0.5' });
    await terminal.shows('✔ succeeded');
    const history = await terminal.history();
    expect(history).toContain('✔ setup passed');
    expect(history).toContain('\\u{202e}gnp.exe');
    expect(history).not.toContain('\u202e');
  },
);

test.skipIf(!hasTmux)('BERTH_ASCII and NO_COLOR: words, no marks, no colour (tmux)', async () => {
  await terminal.open(world, 80, 24, ['run', 'fix it'], {
    FAKE_PACE: '0.3',
    BERTH_ASCII: '1',
    NO_COLOR: '1',
  });
  await terminal.shows(/prefetch ok 0\.1s {2}setup ok/);
  expect(await terminal.screen()).not.toMatch(/[✔●○█─]/);
});

test.skipIf(!hasTmux)(
  'after resume a command begun earlier has its command line, not its id (tmux)',
  async () => {
    const first = world.start(['run', 'fix it'], { env: world.holding(testing) });
    await first.wrote('command.started $ npm test');
    first.child.kill('SIGINT');
    expect((await first.finished).code).toBe(130);
    await terminal.open(world, 80, 24, ['resume'], { FAKE_PACE: '0.3' });
    await terminal.shows('✔ succeeded');
    const history = await terminal.history();
    expect(history).toMatch(/\$ npm test +exit 1/);
    expect(history).not.toContain('3:check/test');
    expect(history).not.toContain('command.started');
  },
);
