import { Option, type Command } from 'commander';
import { collect, type Acting, type Leaf } from './command-tree.ts';

/** Signing in to a server elsewhere, tokens, and plain requests. */
export function serverCommands(program: Command, leaf: Leaf, act: Acting): void {
  leaf(program, 'login', 'keep a token for a server elsewhere')
    .option('--token-stdin', 'read the token from standard input')
    .option('--token-file <file>', 'read the token from a file')
    .option('--name <name>', 'name of the context (default: the host)')
    .action(act(async () => (await import('./commands/sign-in.ts')).login));
  leaf(program, 'logout', 'forget the token of the server in use')
    .option('--all', 'those of all servers')
    .option('--revoke', 'end the token on the server as well')
    .action(act(async () => (await import('./commands/sign-in.ts')).logout));
  leaf(program, 'whoami', 'who the server says you are').action(
    act(async () => (await import('./commands/sign-in.ts')).whoami),
  );

  const context = program.command('context').description('servers: list, use, remove').helpCommand(false);
  leaf(context, 'list', 'the servers you are signed in to', { isDefault: true }).action(
    act(async () => (await import('./commands/contexts.ts')).list),
  );
  leaf(context, 'use', 'speak to this one from now on; local: the data directory')
    .argument('<name>')
    .action(act(async () => (await import('./commands/contexts.ts')).use));
  leaf(context, 'remove', 'forget one and its token')
    .argument('<name>')
    .action(act(async () => (await import('./commands/contexts.ts')).remove));

  const tokens = program.command('tokens').description('tokens: create, list, revoke').helpCommand(false);
  leaf(tokens, 'list', 'your tokens, newest first', { isDefault: true })
    .option('--all', 'those of everybody (admins)')
    .action(act(async () => (await import('./commands/tokens.ts')).list));
  leaf(tokens, 'create', 'make one; its secret is printed this once')
    .option('--purpose <text>', 'what it is for')
    .option('--project <name>', 'only this project; repeatable', collect, [])
    .option('--permission <name>', 'only this permission; repeatable', collect, [])
    .option('--days <days>', 'how long it holds (1 to 366)', '30')
    .option('--service-account <name>', 'for a service account of the configuration (admins)')
    .action(act(async () => (await import('./commands/tokens.ts')).create));
  leaf(tokens, 'revoke', 'end one at once, with what it has opened')
    .argument('<id>')
    .action(act(async () => (await import('./commands/tokens.ts')).revoke));

  const inputFile = new Option('--input <file>', 'the body; - reads standard input');
  // `input` is what --no-input takes away.
  inputFile.attributeName = () => 'inputFile';
  leaf(program, 'api', 'any request to the API, signed in')
    .argument('<method-or-path>')
    .argument('[path]', 'such as /runs or /api/v1/runs')
    .option(
      '-f, --field <name=value>',
      'a member of the body, or of the query of a GET; repeatable',
      collect,
      [],
    )
    .addOption(inputFile)
    .action(act(async () => (await import('./commands/api.ts')).api));
}
