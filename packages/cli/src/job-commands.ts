import type { Command } from 'commander';
import { collect, type Acting, type Leaf } from './command-tree.ts';

/** `berth schedules …` and `berth campaigns …`. */
export function jobCommands(program: Command, leaf: Leaf, act: Acting): void {
  scheduleCommands(program, leaf, act);
  campaignCommands(program, leaf, act);
}

function scheduleCommands(program: Command, leaf: Leaf, act: Acting): void {
  const schedules = program
    .command('schedules')
    .alias('schedule')
    .description('tasks by the clock: list, view, next, create, run, pause, resume, rm')
    .helpCommand(false);
  leaf(schedules, 'list', 'schedules with their next times and last outcomes', { isDefault: true }).action(
    act(async () => (await import('./commands/schedules.ts')).list),
  );
  leaf(schedules, 'view', 'one schedule with what became of its last times')
    .argument('<name>')
    .action(act(async () => (await import('./commands/schedules.ts')).view));
  leaf(schedules, 'next', 'its next three times, in its zone and in UTC')
    .argument('<name>')
    .action(act(async () => (await import('./commands/schedules.ts')).next));
  leaf(schedules, 'create', 'make one')
    .argument('<name>')
    .argument('<text>', 'what is to be done each time; - reads standard input')
    .option('--project <name>', 'the project it is for')
    .option('--cron <fields>', 'minute hour day-of-month month day-of-week, like "30 2 * * 1-5"')
    .option('--zone <name>', 'time zone, like Europe/Zurich', 'UTC')
    .option('--overlap <policy>', 'while an earlier run is under way: skip, allow or replace', 'skip')
    .option('--missed <policy>', 'times that nobody was there for: skip, or once for the last', 'skip')
    .option('--pause-after <failures>', 'pause after so many failures in a row; 0: never', '3')
    .option('--base <ref>', 'branch or commit to start from')
    .option('--limit <name=value>', 'cost, time, tokens, steps, rounds; repeatable', collect, [])
    .action(act(async () => (await import('./commands/schedules.ts')).create));
  for (const [name, what] of [
    ['run', 'hand in its task now'],
    ['resume', 'go on from now'],
    ['rm', 'delete one that was made over the API'],
  ] as const) {
    leaf(schedules, name, what)
      .argument('<name>')
      .action(act(async () => (await import('./commands/schedules.ts'))[name]));
  }
  leaf(schedules, 'pause', 'it fires no more until it is resumed')
    .argument('<name>')
    .option('--reason <text>', 'why')
    .action(act(async () => (await import('./commands/schedules.ts')).pause));
}

function campaignCommands(program: Command, leaf: Leaf, act: Acting): void {
  const campaigns = program
    .command('campaigns')
    .alias('campaign')
    .description('one task over many projects: list, create, view, results, pause, resume, cancel, retry')
    .helpCommand(false);
  leaf(campaigns, 'list', 'campaigns, newest first', { isDefault: true })
    .option('--cursor <cursor>', 'go on where the last list ended')
    .action(act(async () => (await import('./commands/campaigns.ts')).list));
  leaf(campaigns, 'create', 'hand one task in to many projects')
    .argument('<text>', 'what is to be done in each; - reads standard input')
    .option('--projects <names>', 'comma-separated; repeatable', collect, [])
    .option('--all', 'all configured projects that you may hand tasks in to')
    .option('--concurrency <count>', 'runs at once', '5')
    .option('--canary <count>', 'so many go first and have to succeed', '0')
    .option('--stop-on-failure-rate <percent>', 'stop when so many of those that are over failed, like 20%')
    .option('--stop-after <count>', 'so many have to be over before the rate counts', '5')
    .option('--base <ref>', 'branch or commit to start from')
    .option('--model <name>', 'instead of the configured one')
    .option('--limit <name=value>', 'of each run: cost, time, tokens, steps, rounds; repeatable', collect, [])
    .option('--dry-run', 'say which projects it would be, and do nothing')
    .action(act(async () => (await import('./commands/campaigns.ts')).create));
  for (const [name, what] of [
    ['view', 'how it stands: counts, cost, failures by code'],
    ['pause', 'nothing more is handed in; what runs goes on'],
    ['resume', 'go on, also past what stopped it'],
    ['cancel', 'nothing more is handed in, and its runs are ended'],
  ] as const) {
    leaf(campaigns, name, what)
      .argument('<id>')
      .action(act(async () => (await import('./commands/campaigns.ts'))[name]));
  }
  leaf(campaigns, 'results', 'what became of each project')
    .argument('<id>')
    .option('--cursor <cursor>', 'go on where the last list ended')
    .action(act(async () => (await import('./commands/campaigns.ts')).results));
  leaf(campaigns, 'retry', 'another attempt where it failed')
    .argument('<id>')
    .option('--code <code>', 'only where it ended with this code')
    .action(act(async () => (await import('./commands/campaigns.ts')).retry));
}
