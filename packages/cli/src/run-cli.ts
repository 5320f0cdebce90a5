import { CommanderError } from 'commander';
import type { ApiFailure } from '@berth/client/api-failure.ts';
import type { CommonFlags } from './command-context.ts';
import { failure, toFailure } from './failure.ts';
import type { Io } from './io.ts';
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
    const error = thrown instanceof CommanderError ? usage(thrown) : await toFailure(thrown);
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

function usage(error: CommanderError): ApiFailure {
  const [first = '', ...rest] = error.message.replace(/^error: /, '').split('\n');
  const guess = /\(Did you mean (?:one of )?([^?]+)\?\)/.exec(rest.join(' '))?.[1];
  return failure(
    'USAGE',
    `${first.charAt(0).toUpperCase()}${first.slice(1).replace(/\.$/, '')}.`,
    guess === undefined ? 'See `berth help`.' : `Did you mean \`${guess.split(', ').join('`, `')}\`?`,
  );
}
