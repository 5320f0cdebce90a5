import type { Command } from 'commander';
import type { Acting, Leaf } from './command-tree.ts';

/** What waits for a person's approval, and the approval. */
export function gateCommands(
  program: Command,
  leaf: Leaf,
  act: Acting,
  shapes: { oneRun(command: Command): Command; listFlags(command: Command): Command },
): void {
  const gates = program.command('gates').description('what waits for approval: list').helpCommand(false);
  shapes
    .listFlags(leaf(gates, 'list', 'open gates, of the newest runs first', { isDefault: true }))
    .action(act(async () => (await import('./commands/gates.ts')).list, 'gate'));
  for (const [name, what] of [
    ['approve', 'let a run that waits for approval go on'],
    ['refuse', 'end a run that waits for approval; its work is kept'],
  ] as const) {
    shapes
      .oneRun(leaf(program, name, what))
      .option('-m, --message <text>', 'why; kept with the decision')
      .option('--yes', 'do not ask')
      .action(act(async () => (await import('./commands/gates.ts'))[name], 'gate'));
  }
}
