import { Command, Help, Option } from 'commander';
import { asCalled } from './called-as.ts';
import type { CommonFlags } from './command-context.ts';
import type { Io } from './io.ts';
import { collect, type Act, type Acting, type Leaf } from './command-tree.ts';
import { egressCommands } from './egress-commands.ts';
import { gateCommands } from './gate-commands.ts';
import { jobCommands } from './job-commands.ts';
import { triggerCommands } from './trigger-commands.ts';
import { serverCommands } from './server-commands.ts';
import { secondRunCommands, taskCommands } from './task-commands.ts';
import { addExamples } from './help-examples.ts';
import { mainHelp } from './main-help.ts';
import type { DocumentName } from './output/json-fields.ts';
import { filterWords, listening, listFlags, oneRun, paged, stateChoices, watchable } from './flag-sets.ts';
import { configCommands } from './program-config.ts';
import { version } from './version.ts';

/**
 * The command tree. Only commander is loaded to build it; each command's code is read when it runs, so that
 * `berth --help` stays quick.
 */
export function createProgram(io: Io, setExitCode: (code: number) => void): Command {
  const program = new Command('berth')
    .description('Gives a task to a coding agent in a sandbox and ends with a verified pull request.')
    .version(`berth ${version}`, '-V, --version', 'print the version')
    .helpOption('-h, --help', 'show help')
    .option(
      '--server <url|context>',
      'a server elsewhere, or local; default: BERTH_SERVER, then the context in use',
    )
    .option('--insecure-http', 'also over plain http to another machine')
    .helpCommand(false)
    .exitOverride()
    .configureHelp({
      // An empty list is no default worth words.
      optionDescription: (option) =>
        Array.isArray(option.defaultValue) ? option.description : new Help().optionDescription(option),
    })
    .showSuggestionAfterError(true)
    .configureOutput({
      writeOut: (text) => void io.stdout.write(asCalled(text, io.env)),
      // Failures are printed in one place and one form (`printFailure`).
      writeErr: () => undefined,
      outputError: () => undefined,
      getOutHelpWidth: () => Math.min(io.stdout.columns ?? 80, 100),
      getOutHasColors: () => false,
    });
  program.helpInformation = () => mainHelp(program);

  const act =
    <Flags>(load: () => Promise<Act<Flags & CommonFlags>>, document?: DocumentName) =>
    async (...given: unknown[]): Promise<void> => {
      const command = given.at(-1) as Command;
      const flags = command.optsWithGlobals<Flags & CommonFlags>();
      const [id, text] = command.args;
      if (flags.jsonFields === '?' && document !== undefined) {
        const { fieldLines } = await import('./output/json-fields.ts');
        const isStatus = command.name() === 'status' && (id !== undefined || flags.last === true);
        io.stdout.write(await fieldLines(isStatus ? 'status' : document));
        return;
      }
      const { commandContext } = await import('./command-context.ts');
      const code = await (await load())(commandContext(io, flags), flags, id, text);
      setExitCode(flags.exitZero === true && outcomes.has(code) ? 0 : code);
    };
  const leaf: Leaf = (parent, name, what, place = {}) =>
    common(parent.command(name, place).description(what));

  leaf(program, 'run', 'create a task and follow its run')
    .argument('[text]', 'what is to be done; - reads it from standard input')
    .option('-f, --file <file>', 'read the task from a file')
    .option('--repo <path|url>', 'the repository (default: the one around this directory)')
    .option('--base <ref>', 'branch, tag or commit to start from')
    .option('--model <model>', 'model of the primary slot')
    .option('-b, --blueprint <file>', 'blueprint to use instead of the repository’s')
    .option('--limit <name=value>', 'cost, tokens, steps, minutes, time, rounds; repeatable', collect, [])
    .option('--no-propose', 'stop before the pull request')
    .option('--record <cassette>', 'record the model’s answers')
    .option('--cassette <file>', 'play recorded answers instead of asking a model')
    .option('--detach', 'print the run’s id and leave it running')
    .option('--wait', 'follow without a live view')
    .option('--full', 'the live view over the whole terminal')
    .option('--timeout <duration>', 'stop following after, say, 20m')
    .addHelpText('after', runHelp)
    .action(act(async () => (await import('./commands/run.ts')).run, 'run'));
  watchable(oneRun(leaf(program, 'status', 'what needs you, or one run’s status sentence'))).action(
    act(async () => (await import('./commands/status.ts')).status, 'run'),
  );

  const runs = program
    .command('runs')
    .description('runs: list, view, logs, diff, replay, watch, steer, pause, resume, retry, fork, cancel');
  listFlags(leaf(runs.helpCommand(false), 'list', 'runs, newest first', { isDefault: true }))
    .addOption(new Option('--state <state>').choices(stateChoices))
    .option('--filter <filter>', filterWords)
    .action(act(async () => (await import('./commands/runs.ts')).list, 'run'));
  runCommands(runs, leaf, act, true);
  runCommands(program, leaf, act, false);

  taskCommands(program, leaf, act);

  const proposals = program
    .command('proposals')
    .description('proposals: list, show, diff, merge, close')
    .helpCommand(false);
  listFlags(leaf(proposals, 'list', 'proposals, newest first', { isDefault: true })).action(
    act(async () => (await import('./commands/proposals.ts')).list, 'proposal'),
  );
  watchable(paged(oneRun(leaf(proposals, 'show', 'one proposal with its evidence'))))
    .alias('view')
    .action(act(async () => (await import('./commands/proposals.ts')).show, 'proposal'));
  paged(oneRun(leaf(proposals, 'diff', 'its unified diff'))).action(
    act(async () => (await import('./commands/proposals.ts')).diff, 'diff'),
  );
  for (const name of ['merge', 'close'] as const) {
    oneRun(leaf(proposals, name, name === 'merge' ? 'merge it on its code host' : 'close it without merging'))
      .option('--yes', 'do not ask')
      .action(act(async () => (await import('./commands/proposals.ts'))[name], 'proposal'));
  }
  gateCommands(program, leaf, act, { oneRun, listFlags });
  listening(leaf(program, 'up', 'start Berth: everything in one process, until Ctrl-C')).action(
    act(async () => (await import('./commands/up.ts')).up),
  );
  listening(leaf(program, 'serve', 'start parts of Berth, any number of times over one PostgreSQL'))
    .option('--parts <parts>', 'api, worker or both', 'api,worker')
    .option('--workers <count>', 'runs worked on at once')
    .action(act(async () => (await import('./commands/serve.ts')).serve));
  egressCommands(program, leaf, act);
  serverCommands(program, leaf, act);
  configCommands(program, leaf, act);
  jobCommands(program, leaf, act);
  triggerCommands(program, leaf, act);
  auditCommands(program, leaf, act);
  watchable(paged(leaf(program, 'usage', 'what was used, by project, principal, model or day')))
    .option('--by <names>', 'project, principal, model, day; comma-separated', 'project')
    .option('--since <days>', 'the last days, like 7d, or a day like 2026-11-01', '7d')
    .option('--project <name|repository>', 'only of this project')
    .option('--budgets', 'what budgets there are and what is left of them')
    .action(act(async () => (await import('./commands/usage.ts')).usage, 'usage'));
  leaf(program, 'doctor', 'look whether everything Berth needs is there and works')
    .option('--exit-zero', 'exit 0 also when something failed')
    .action(act(async () => (await import('./commands/doctor.ts')).doctor, 'doctor'));
  leaf(program, 'version', 'print the version').action(
    act(async () => (await import('./commands/about.ts')).printVersion, 'version'),
  );
  leaf(program, 'help', 'help for a command, or: exit-codes, environment')
    .argument('[topic]')
    .argument('[command]', 'one of a group, as in: help tokens create')
    .action(act(async () => (await import('./commands/about.ts')).helpFor(program)));
  leaf(program, 'completion', 'completion script for bash, zsh or fish')
    .argument('<shell>')
    .action(act(async () => (await import('./commands/completion.ts')).completionFor(program)));
  leaf(program, 'host', 'carry runs until none is active', { hidden: true }).action(
    act(async () => (await import('./commands/host.ts')).host),
  );
  addExamples(program);
  return program;
}

/** What can be done with one run, as `berth runs view` and, shorter, as `berth show`. */
function runCommands(parent: Command, leaf: Leaf, act: Acting, isLong: boolean): void {
  watchable(paged(oneRun(leaf(parent, isLong ? 'view' : 'show', 'one run'))))
    .action(act(async () => (await import('./commands/runs.ts')).show, 'run'))
    .aliases(isLong ? ['show'] : []);
  paged(oneRun(leaf(parent, 'logs', 'its events')))
    .option('-f, --follow', 'go on with what happens')
    .option('-a, --all', 'also what folds away')
    .option('--output <call>', 'the whole output of one command or tool call')
    .option('--exit-zero', 'with -f: exit 0 however the run ends')
    .option('--timeout <duration>', 'stop following after, say, 20m')
    .action(act(async () => (await import('./commands/logs.ts')).logs, 'event'));
  paged(oneRun(leaf(parent, 'diff', 'its changes against the base'))).action(
    act(async () => (await import('./commands/runs.ts')).diff, 'diff'),
  );
  oneRun(leaf(parent, 'watch', 'follow it in a live view', { hidden: !isLong }))
    .option('--exit-zero', 'exit 0 however the run ends')
    .option('--full', 'over the whole terminal')
    .option('--timeout <duration>', 'stop following after, say, 20m')
    .action(act(async () => (await import('./commands/watch.ts')).watch, 'run'));
  oneRun(
    leaf(parent, 'terminal', 'open a shell in its sandbox; ~. at the beginning of a line leaves'),
  ).action(act(async () => (await import('./commands/terminal.ts')).terminal));
  if (isLong) {
    oneRun(leaf(parent, 'verify', 'check its log against its hashes and seals')).action(
      act(async () => (await import('./commands/audit.ts')).verifyRun, 'verdict'),
    );
  }
  oneRun(leaf(parent, 'cancel', 'end it; its work so far is kept'))
    .option('--yes', 'do not ask')
    .action(act(async () => (await import('./commands/acts.ts')).cancel, 'run'));
  oneRun(leaf(parent, 'pause', 'hold it until it is resumed'))
    .option('--reason <text>', 'shown to whoever looks')
    .action(act(async () => (await import('./commands/acts.ts')).pause, 'run'));
  oneRun(leaf(parent, 'resume', 'go on after a pause, a crash, or an end by a limit'))
    .option('--limit <name=value>', 'raise a limit; repeatable', collect, [])
    .option('--detach', 'do not follow it')
    .option('--wait', 'follow without a live view')
    .option('--full', 'the live view over the whole terminal')
    .option('--timeout <duration>', 'stop following after, say, 20m')
    .action(act(async () => (await import('./commands/resume.ts')).resume, 'run'));
  secondRunCommands(parent, leaf, act);
  leaf(parent, 'steer', 'say something to its agent')
    .argument('<id-or-text>', 'the run, or the text for the latest run')
    .argument('[text]')
    .option('--last', 'the newest run of all')
    .option('--after-step', 'deliver after the present step instead of now')
    .action(act(async () => (await import('./commands/acts.ts')).steer, 'message'));
}

/** The record of acts. */
function auditCommands(program: Command, leaf: Leaf, act: Acting): void {
  const audit = program
    .command('audit')
    .description('the record of acts: list, verify, export')
    .helpCommand(false);
  const filtered = (command: Command): Command =>
    command
      .option('--by <who>', 'principal id')
      .option('--action <action>', 'run.cancel, or run for all of its kind')
      .option('--object <id>', 'id of the object')
      .addOption(new Option('--result <result>').choices(['allowed', 'denied', 'failed', 'open', 'unknown']))
      .option('--project <id>', 'id or name of a project')
      .option('--since <when>', 'a time (RFC 3339) or an age such as 7d, 12h')
      .option('--until <when>', 'a time (RFC 3339) or an age');
  filtered(leaf(audit, 'list', 'acts, newest first', { isDefault: true }))
    .option('-n, --limit <count>', 'at most so many', '30')
    .option('--cursor <cursor>', 'go on where the last list ended')
    .option('--no-pager', 'never through a pager')
    .action(act(async () => (await import('./commands/audit.ts')).list, 'act'));
  leaf(audit, 'verify', 'check every act, seal and run’s log')
    .option('--run <id>', 'only the log of this run')
    .option('--exit-zero', 'exit 0 also when something does not hold')
    .action(act(async () => (await import('./commands/audit.ts')).verify, 'verdict'));
  filtered(leaf(audit, 'export', 'the record with its seals as JSON lines')).action(
    act(async () => (await import('./commands/audit.ts')).exportRecord),
  );
}
/** Exit codes that say how something ended rather than that the command did not work: `--exit-zero` drops them. */
const outcomes = new Set([3, 5, 6, 7, 11]);

function common(command: Command): Command {
  return command
    .option('--json', 'one JSON document; --json=a,b only these fields, --json=? lists them')
    .addOption(new Option('--json-fields <fields>').hideHelp())
    .option('--jsonl', 'one JSON document per line')
    .option('-q, --quiet', 'ids only')
    .addOption(new Option('--color <when>', 'colour').choices(['auto', 'always', 'never']).default('auto'))
    .option('--no-input', 'never ask')
    .allowExcessArguments(false);
}

const runHelp = `
Examples:
  berth run "fix the flaky date test"
  berth run -f task.md --base release-2 --limit cost=0.50 --limit minutes=10
  git log -1 --format=%B | berth run - --json

The working copy is never touched. Ctrl-C pauses the run where this process carries it; otherwise it only
stops watching.
`;
