import type { Command } from 'commander';
import type { Acting, Leaf } from './command-tree.ts';

/** `berth deliveries …` and `berth triggers …`. */
export function triggerCommands(program: Command, leaf: Leaf, act: Acting): void {
  const deliveries = program
    .command('deliveries')
    .alias('delivery')
    .description('what came in by webhooks: list, show, run-again')
    .helpCommand(false);
  leaf(deliveries, 'list', 'deliveries and what became of them, newest first', { isDefault: true })
    .option('--state <state>', 'waiting, queued, done, ignored or dead')
    .option('--name <name>', 'of the forge or trigger they came in by')
    .option('--limit <count>', 'at most so many')
    .option('--cursor <cursor>', 'go on where the last list ended')
    .action(act(async () => (await import('./commands/deliveries.ts')).list));
  leaf(deliveries, 'show', 'one delivery with its body')
    .argument('<id>')
    .action(act(async () => (await import('./commands/deliveries.ts')).show));
  leaf(deliveries, 'run-again', 'work a settled one off again; what has a task gets no second one')
    .argument('<id>')
    .action(act(async () => (await import('./commands/deliveries.ts')).runAgain));

  const triggers = program
    .command('triggers')
    .alias('trigger')
    .description('what turns outside events into tasks: list, test')
    .helpCommand(false);
  leaf(triggers, 'list', 'triggers, what they wait for, and where to send it', { isDefault: true }).action(
    act(async () => (await import('./commands/deliveries.ts')).triggers),
  );
  leaf(triggers, 'test', 'what one would make of a body, and why not; makes nothing')
    .argument('<name>')
    .option('--body <file>', 'JSON; - reads standard input')
    .option('--event <event>', 'of a forge, as its header names it: issues, issue_comment')
    .action(act(async () => (await import('./commands/deliveries.ts')).test));
}
