import { type Command, Option } from 'commander';
import { collect, type Acting, type Leaf } from './command-tree.ts';
import { filterWords, listFlags, oneRun, paged, stateChoices, watchable } from './flag-sets.ts';

/** `berth tasks`. */
export function taskCommands(program: Command, leaf: Leaf, act: Acting): void {
  const tasks = program.command('tasks').description('tasks: list, view').helpCommand(false);
  listFlags(leaf(tasks, 'list', 'tasks with the state of their newest run', { isDefault: true }))
    .addOption(new Option('--state <state>').choices(stateChoices))
    .option('--filter <filter>', filterWords)
    .action(act(async () => (await import('./commands/tasks.ts')).list, 'task'));
  watchable(paged(leaf(tasks, 'view', 'one task').argument('<id>')))
    .alias('show')
    .action(act(async () => (await import('./commands/tasks.ts')).view, 'task'));
}

/** Runs made from runs, and their past. */
export function secondRunCommands(parent: Command, leaf: Leaf, act: Acting): void {
  const made = (command: Command): Command =>
    oneRun(command)
      .option('--text <text>', 'added to the task for the new run')
      .option('--limit <name=value>', 'another limit; repeatable', collect, [])
      .option('--detach', 'do not follow it')
      .option('--wait', 'follow without a live view')
      .option('--full', 'the live view over the whole terminal')
      .option('--timeout <duration>', 'stop following after, say, 20m');
  made(leaf(parent, 'retry', 'another attempt at its task'))
    .option('--newest-base', 'from what its base branch is now, instead of the same commit')
    .action(act(async () => (await import('./commands/second-runs.ts')).retry, 'run'));
  made(leaf(parent, 'fork', 'a new task that begins with its working tree'))
    .option('--at <seq>', 'as it was at this entry (the nearest checkpoint before it)')
    .action(act(async () => (await import('./commands/second-runs.ts')).fork, 'run'));
  paged(oneRun(leaf(parent, 'replay', 'how it stood after an entry of its log')))
    .option('--at <seq>', 'the entry; without it the newest')
    .action(act(async () => (await import('./commands/replay.ts')).replay, 'state'));
}
