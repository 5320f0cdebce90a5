import { afterEach, beforeEach, expect, test } from 'vitest';
import { World } from './testing/spawn-berth.ts';
import { hasTmux, Terminal } from './testing/terminal.ts';

let world: World;
let terminal: Terminal;
beforeEach(async () => {
  world = new World();
  terminal = new Terminal(world.directory);
});
afterEach(async () => {
  if (hasTmux) await terminal.close();
  await world.end();
});

/** Waits for a line of the terminal itself. */
const pager = `sh -c 'cat; echo PAGER OPEN; read line </dev/tty'`;

test.skipIf(!hasTmux)(
  'what is longer than the terminal goes through the pager, unless refused (tmux)',
  async () => {
    await world.run(['run', 'fix it', '-q']);
    await terminal.openShell(world, 80, 16, { PAGER: pager });
    // What is typed is on the screen, too, and must not look like what is printed.
    await terminal.type('$berth logs; echo ended $((0))');
    await terminal.press('Enter');
    await terminal.shows(/succeeded[^]*PAGER OPEN/);
    await terminal.press('C-c');
    await terminal.shows(/ended 0$/m);
    for (const [place, line] of ['$berth logs --no-pager', '$berth diff'].entries()) {
      await terminal.type(`clear; ${line}; echo ended $((1+${place}))`);
      await terminal.press('Enter');
      await terminal.shows(new RegExp(`^ended ${1 + place}$`, 'm'));
      expect(await terminal.screen()).not.toContain('PAGER OPEN');
    }
  },
);

test.skipIf(!hasTmux)('--watch draws a list in place (tmux)', async () => {
  const working = 'model.requested 2:agent/model-2';
  await world.serve({ hold: [working] });
  await terminal.open(world, 100, 20, ['runs', '--watch'], {});
  await terminal.shows('No run yet.');
  const running = world.start(['run', 'drawn in place', '-q']);
  await terminal.shows(/● running +lib +drawn in place/);
  world.letGo(working);
  await terminal.shows(/✔ succeeded +lib +drawn in place/);
  await running.finished;
  await terminal.press('C-c');
  await terminal.shows('exit 130');
  const history = await terminal.history();
  expect(history.match(/drawn in place/g)).toHaveLength(1);
  expect(await terminal.showsCursor()).toBe(true);
});

test.skipIf(!hasTmux)('cancel and close ask on a terminal; --yes does not (tmux)', async () => {
  const plane = await world.serve({ pace: 0 });
  await world.run(['run', 'proposed', '-q']);
  await terminal.openShell(world, 100, 30, {});
  await terminal.type('$berth proposals close --last; echo "ended $?"');
  await terminal.press('Enter');
  await terminal.shows('Close "proposed"? [y/N]');
  await terminal.type('n');
  await terminal.press('Enter');
  await terminal.shows('ended 2');
  expect(plane.acts).toEqual([]);
  await terminal.type('clear; $berth proposals close --last --yes; echo "ended $?"');
  await terminal.press('Enter');
  await terminal.shows('ended 0');
  expect(plane.acts).toEqual(['closed tester']);
});
