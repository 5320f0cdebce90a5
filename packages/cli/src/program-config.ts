import type { Command } from 'commander';
import type { Acting, Leaf } from './command-tree.ts';

/** `berth config …` and `berth projects …`. */
export function configCommands(program: Command, leaf: Leaf, act: Acting): void {
  const config = program
    .command('config')
    .description('configuration: check, show, export, revisions, path')
    .helpCommand(false);
  leaf(config, 'show', 'what counts, where it comes from, and what is wrong', { isDefault: true }).action(
    act(async () => (await import('./commands/config.ts')).show, 'config'),
  );
  leaf(config, 'check', 'look at a file without a server; exits 2 with file:line:column: problem')
    .argument('[file]', 'default: BERTH_CONFIG, ./berth.yaml, or the one of the data directory')
    .action(act(async () => (await import('./commands/config.ts')).check));
  leaf(config, 'export', 'the file and what was made over the API, as one YAML file').action(
    act(async () => (await import('./commands/config.ts')).exportConfig),
  );
  leaf(config, 'revisions', 'what was changed when, newest first').action(
    act(async () => (await import('./commands/config.ts')).revisions),
  );
  leaf(config, 'path', 'where the configuration file lies, or would').action(
    act(async () => (await import('./commands/config.ts')).path),
  );
  const projects = program
    .command('projects')
    .description('projects: list, view, add, snapshots')
    .helpCommand(false);
  leaf(projects, 'list', 'projects by name', { isDefault: true })
    .option('--cursor <cursor>', 'go on where the last list ended')
    .action(act(async () => (await import('./commands/projects.ts')).list, 'project'));
  leaf(projects, 'view', 'one project with each setting and where it comes from')
    .argument('<project>', 'its name or id')
    .action(act(async () => (await import('./commands/projects.ts')).view, 'project'));
  leaf(projects, 'add', 'make a project')
    .argument('<name>')
    .argument('<repository>', 'a URL git understands, or an absolute path')
    .action(act(async () => (await import('./commands/projects.ts')).add, 'project'));
  const snapshots = projects
    .command('snapshots')
    .description('what setup made on the default branch, kept for later runs: list, clear')
    .helpCommand(false);
  leaf(snapshots, 'list', 'when and by which run each was made, its size, its last use')
    .argument('<project>', 'its name or id')
    .action(act(async () => (await import('./commands/snapshots.ts')).list, 'snapshots'));
  leaf(snapshots, 'clear', 'forget all of a project: its next run runs its setup')
    .argument('<project>', 'its name or id')
    .option('--yes', 'do not ask')
    .action(act(async () => (await import('./commands/snapshots.ts')).clear));
}
