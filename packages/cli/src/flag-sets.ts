import { type Command, Option } from 'commander';

/** What `--filter` says about itself. */
export const filterWords = 'such as: status:failed code:LIMIT_COST by:me age:<7d cost:>2 words';

/** States a list can be narrowed to. */
export const stateChoices = [
  'queued',
  'running',
  'paused',
  'needs_human',
  'succeeded',
  'failed',
  'cancelled',
];

export function oneRun(command: Command): Command {
  return command
    .argument('[id]', 'id or its beginning, latest, #12 or lib#12 (pull request), or its URL')
    .option('--last', 'the newest run of all');
}

export function listening(command: Command): Command {
  return command
    .option('--port <port>', 'TCP port (default: 7420)')
    .option('--listen <host:port>', 'TCP address (default: of the configuration, else 127.0.0.1:7420)')
    .option('--data-dir <directory>', 'instead of BERTH_HOME')
    .option('--stop-timeout <duration>', 'the longest that stopping may take (default: 25s)');
}

export function paged(command: Command): Command {
  return command.option('--no-pager', 'never through a pager');
}

export function watchable(command: Command): Command {
  return command.option('-w, --watch', 'again and again: in place on a terminal, else what changes');
}

export function listFlags(command: Command): Command {
  return watchable(paged(command))
    .addOption(new Option('-o, --output <form>', 'wide: more columns, nothing cut').choices(['wide']))
    .option('--project <name|repository>', 'only of this project')
    .option('-n, --limit <count>', 'at most so many', '30')
    .option('--cursor <cursor>', 'go on where the last list ended');
}
