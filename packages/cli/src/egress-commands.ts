import { Option, type Command } from 'commander';
import type { Acting, Leaf } from './command-tree.ts';

/** `berth egress …`. */
export function egressCommands(program: Command, leaf: Leaf, act: Acting): void {
  const egress = program
    .command('egress')
    .description('what sandboxes may reach: explain')
    .helpCommand(false);
  leaf(egress, 'explain', 'whether a host may be reached, and which rule of which layer says so')
    .argument('<host[:port]>', 'port 443 unless said')
    .option('--project <name>', 'the project it is about (default: the only one)')
    .option('--method <method>', 'of a request')
    .option('--path <path>', 'of a request')
    .addOption(
      new Option('--step <step>', 'only for this kind of step').choices([
        'setup',
        'agent',
        'check',
        'verify',
      ]),
    )
    .action(act(async () => (await import('./commands/egress.ts')).explain, 'egress'));
}
