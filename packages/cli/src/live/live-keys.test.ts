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

/** Reads a line of the terminal itself, as it is while a pager has it. */
const pager = `sh -c 'cat; echo PAGER OPEN; read line </dev/tty; echo "PAGER READ $line"'`;

/** In the middle of the agent's step, and at its end. */
const thinking = 'model.requested 2:agent/model-2';
const finishing = 'step.ended 2:agent';

/** Begins a run that stays in the middle of its agent step. */
async function begin(args: readonly string[] = ['run', 'fix it'], env: Record<string, string> = {}) {
  await terminal.open(world, 80, 24, args, { ...world.holding(thinking, finishing), PAGER: pager, ...env });
  await terminal.shows(/agent ●/);
  await terminal.shows('steer> _');
}

async function isCookedSoon(): Promise<void> {
  await expect.poll(async () => terminal.isCooked()).toBe(true);
}

test.skipIf(!hasTmux)('a message is written, sent, delivered and seen by the model (tmux)', async () => {
  await begin();
  await terminal.type('keep the public API');
  await terminal.shows('steer> keep the public API_');
  await terminal.press('Enter');
  await terminal.shows('"keep the public API"  sent ✔ delivered');
  world.letGo(thinking);
  await terminal.shows(/seen by model \(#\d+\)/);
  await terminal.shows('steer> _');
  expect(await terminal.isCooked()).toBe(false);
});

test.skipIf(!hasTmux)(
  'Tab sends for after the step; a paste is text and never a command (tmux)',
  async () => {
    await begin();
    await terminal.paste('q and X\ny');
    await terminal.shows('steer> q and X y_');
    await terminal.press('Tab');
    await terminal.shows('"q and X y"  sent ✔ delivered, read after this step');
    expect(await terminal.screen()).toContain('● running');
  },
);

test.skipIf(!hasTmux)(
  'd shows the diff in the pager and comes back; Ctrl-C there is the pager’s (tmux)',
  async () => {
    await begin();
    await terminal.press('d');
    await terminal.shows('+++ b/src/date.ts');
    await terminal.shows('PAGER OPEN');
    expect(await terminal.isCooked()).toBe(true);
    await terminal.press('C-c');
    await terminal.shows('steer> _');
    await terminal.press('l');
    await terminal.hasShown('PAGER OPEN', 2);
    await terminal.shows(/✔ setup passed[^]*PAGER OPEN/);
    await terminal.press('Enter');
    await terminal.shows(/PAGER READ[^]*steer> _/);
    await terminal.shows('● running');
  },
);

test.skipIf(!hasTmux)('without a pager the diff goes into the scrollback (tmux)', async () => {
  await begin(undefined, { PAGER: '' });
  await terminal.press('d');
  await terminal.shows(/\+\+\+ b\/src\/date.ts[^]*steer> _/);
});

test.skipIf(!hasTmux)('p holds the run and goes on with it (tmux)', async () => {
  await begin();
  await terminal.press('p');
  await terminal.shows('‖ paused');
  await terminal.shows('p continue');
  await terminal.press('p');
  await terminal.shows('● running');
  await terminal.shows('p pause');
});

test.skipIf(!hasTmux)('X asks once: no goes on, yes cancels (tmux)', async () => {
  await begin();
  await terminal.press('X');
  await terminal.shows('Cancel this run? Its work so far is kept.');
  await terminal.press('n');
  await terminal.shows('steer> _');
  await terminal.press('X');
  await terminal.shows('Cancel this run?');
  await terminal.press('y');
  await terminal.shows('⊘ cancelled');
  await terminal.shows('exit 6');
  expect(await terminal.isCooked()).toBe(true);
});

test.skipIf(!hasTmux)('q pauses where this process carries the run, and says so (tmux)', async () => {
  await begin();
  await terminal.shows('q pause+leave');
  await terminal.press('q');
  await terminal.shows('Detached. Paused; nothing is lost. Go on: `berth resume r-');
  await terminal.shows('exit 130');
  expect([await terminal.isCooked(), await terminal.showsCursor()]).toEqual([true, true]);
});

test.skipIf(!hasTmux)('q leaves a run that another process carries as it is (tmux)', async () => {
  await world.serve({ hold: [thinking] });
  await begin();
  await terminal.shows('q detach');
  await terminal.press('q');
  await terminal.shows('Detached. The run goes on. `berth logs -f r-');
  expect((await world.run(['status'])).stdout).toContain('running');
});

test.skipIf(!hasTmux)('a signal in the middle of writing leaves the terminal as it was (tmux)', async () => {
  await begin();
  await terminal.type('half a mess');
  await terminal.shows('half a mess_');
  process.kill(await terminal.pidOf('fix it'), 'SIGTERM');
  await terminal.shows('exit 143');
  expect([await terminal.isCooked(), await terminal.showsCursor()]).toEqual([true, true]);
});

test.skipIf(!hasTmux)('Ctrl-C twice at once leaves the terminal as it was (tmux)', async () => {
  await begin();
  await terminal.press('C-c', 'C-c');
  await terminal.shows(/exit 130/);
  expect([await terminal.isCooked(), await terminal.showsCursor()]).toEqual([true, true]);
});

test.skipIf(!hasTmux)('Ctrl-Z gives the terminal to the shell, fg takes it again (tmux)', async () => {
  await terminal.openShell(world, 80, 24, world.holding(thinking));
  await terminal.type('$berth run "fix it"');
  await terminal.press('Enter');
  await terminal.shows('steer> _');
  await terminal.press('C-z');
  await terminal.shows(/Stopped[^]*ready>/);
  await terminal.type('echo $((6*7))');
  await terminal.press('Enter');
  await terminal.shows(/^42$/m);
  expect(await terminal.screen()).not.toContain('steer>');
  await terminal.type('fg');
  await terminal.press('Enter');
  await terminal.shows('steer> _');
  await terminal.type('keep');
  await terminal.shows('steer> keep_');
  await terminal.press('C-c');
  await terminal.shows(/berth resume r-[^]*ready>/);
  await isCookedSoon();
});

test.skipIf(!hasTmux)(
  'without a terminal at its input, or with --no-input, no key is taken (tmux)',
  async () => {
    await terminal.openShell(world, 80, 24, world.holding(thinking));
    for (const line of ['$berth run one </dev/null', '$berth run two --no-input']) {
      await terminal.type(line);
      await terminal.press('Enter');
      await terminal.shows(/Ctrl-C pauses/);
      const screen = await terminal.screen();
      expect([screen.includes('steer>'), await terminal.isCooked()]).toEqual([false, true]);
      await terminal.press('C-c');
      await terminal.shows(/Paused; nothing is lost[^]*ready>\s*$/);
      await terminal.type('clear');
      await terminal.press('Enter');
      await terminal.shows(/^ready>\s*$/);
    }
  },
);

test.skipIf(!hasTmux)('--full takes the whole terminal and gives it back (tmux)', async () => {
  await begin(['run', 'fix it', '--full']);
  expect(await terminal.isAlternate()).toBe(true);
  const screen = (await terminal.screen()).trimEnd().split('\n');
  expect(screen).toHaveLength(24);
  await terminal.resize(100, 30);
  await expect.poll(async () => (await terminal.screen()).trimEnd().split('\n').length).toBe(30);
  await terminal.press('q');
  await terminal.shows('Detached. Paused');
  expect([await terminal.isAlternate(), await terminal.isCooked(), await terminal.showsCursor()]).toEqual([
    false,
    true,
    true,
  ]);
  expect(await terminal.screen()).toContain('‖ paused');
});
