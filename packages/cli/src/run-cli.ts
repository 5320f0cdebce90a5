import { CommanderError, type Command } from 'commander';
import type { ApiFailure } from '@berth/client/api-failure.ts';
import type { CommonFlags } from './command-context.ts';
import { didYouMean, failure, toFailure } from './failure.ts';
import type { Io } from './io.ts';
import { nearest } from './nearest.ts';
import { printFailure } from './print-failure.ts';
import { createProgram } from './program.ts';

/** Runs one command and answers its exit code. Never throws, never ends the process. */
export async function runCli(io: Io): Promise<number> {
  let exitCode = 0;
  const program = createProgram(io, (code) => {
    exitCode = code;
  });
  try {
    await program.parseAsync(normalise(io.argv), { from: 'user' });
    return exitCode;
  } catch (thrown) {
    if (thrown instanceof CommanderError && thrown.exitCode === 0) return 0;
    const error = thrown instanceof CommanderError ? usage(thrown, program) : await toFailure(thrown);
    const flags = flagsIn(io.argv);
    printFailure(io, error, flags);
    // Only commands that change nothing have the flag; a refusal to understand stays one.
    return error.exit;
  }
}

/** `--json=a,b` as two flags, so that `--json` never swallows the id behind it. */
function normalise(argv: readonly string[]): string[] {
  const end = argv.indexOf('--');
  return argv.flatMap((word, place) =>
    word.startsWith('--json=') && (end === -1 || place < end)
      ? ['--json', '--json-fields', word.slice('--json='.length)]
      : [word],
  );
}

/** What the failure's form depends on, also when the command line was not understood. */
function flagsIn(argv: readonly string[]): Pick<CommonFlags, 'json' | 'jsonl'> {
  const end = argv.indexOf('--');
  const words = end === -1 ? argv : argv.slice(0, end);
  return {
    json: words.some((word) => word === '--json' || word.startsWith('--json=')),
    jsonl: words.includes('--jsonl'),
  };
}

function usage(error: CommanderError, program: Command): ApiFailure {
  const [first = '', ...rest] = error.message.replace(/^error: /, '').split('\n');
  const sentence = `${first.charAt(0).toUpperCase()}${first.slice(1).replace(/\.$/, '')}.`;
  const excess = /^too many arguments for '(\w+)'.*: (.*)\.$/.exec(first);
  if (excess !== null) return tooMany(sentence, excess[1]!, excess[2]!, program);
  const guess = /\(Did you mean (?:one of )?([^?]+)\?\)/.exec(rest.join(' '))?.[1];
  return failure('USAGE', sentence, guess === undefined ? helpHint(program) : didYouMean(guess.split(', ')));
}

/** Names the help of the command that was meant, as far as its name was understood. */
function helpHint(program: Command): string {
  const path: string[] = [];
  let command = program;
  for (const word of program.args) {
    const next = command.commands.find((one) => one.name() === word);
    if (next === undefined) break;
    path.push(word);
    command = next;
  }
  return path.length === 0 ? 'See `berth help`.' : `See \`berth ${path.join(' ')} --help\`.`;
}

/** Words that belong to no argument: a task without quotes, or a misspelt command of a group. */
function tooMany(sentence: string, name: string, words: string, program: Command): ApiFailure {
  if (name === 'run')
    return failure('USAGE', sentence, 'Put the task in quotes: `berth run "fix the test"`.');
  const group = program.commands.find((one) => program.args[0] === one.name());
  const first = words.split(', ')[0] ?? '';
  if (name !== 'list' || group === undefined) return failure('USAGE', sentence);
  return failure(
    'USAGE',
    `There is no command ${JSON.stringify(`${group.name()} ${first}`)}.`,
    didYouMean(
      nearest(
        first,
        group.commands.map((one) => one.name()),
      ),
    ),
  );
}
