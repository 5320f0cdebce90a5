import type { Command } from 'commander';
import type { CommandContext, CommonFlags } from '../command-context.ts';
import { asCalled } from '../called-as.ts';
import { didYouMean, failure } from '../failure.ts';
import { exitCodes } from '../exit-codes.ts';
import { nearest } from '../nearest.ts';
import { version } from '../version.ts';

const variables = [
  ['BERTH_HOME', 'the data directory; default ~/.berth'],
  ['BERTH_CONFIG', 'the configuration file; default berth.yaml in the data directory'],
  ['BERTH_SERVER', 'a server elsewhere: its address, the name of a context, or local'],
  ['BERTH_TOKEN', 'the token for it'],
  ['BERTH_ASCII', 'words instead of marks, when 1'],
  ['BERTH_DEBUG', 'where an error came from, when 1'],
  ['PAGER', 'what shows long texts; BERTH_PAGER wins; empty or cat: nothing does'],
  ['NO_COLOR', 'no colour, when not empty'],
  ['FORCE_COLOR', 'colour also without a terminal, unless 0'],
  ['TERM', 'dumb: no colour and no cursor movement'],
  ['ANTHROPIC_API_KEY', 'key for Anthropic models; read by the server'],
  ['OPENAI_API_KEY', 'key for OpenAI models; read by the server'],
  ['BERTH_MODEL, BERTH_BASE_URL', 'any OpenAI-compatible model; read by the server'],
  ['DATABASE_URL', 'a PostgreSQL of your own instead of the built-in one; read by the server'],
] as const;

/** `berth version`. */
export async function printVersion(context: CommandContext): Promise<number> {
  const node = process.version;
  if (context.format === 'json' || context.format === 'jsonl') context.printDocument({ version, node });
  else context.out.write(context.format === 'quiet' ? `${version}\n` : `berth ${version} (Node ${node})\n`);
  return 0;
}

/** `berth help [topic]`. */
export function helpFor(program: Command) {
  return async (
    context: CommandContext,
    _: CommonFlags,
    topic: string | undefined,
    inGroup?: string,
  ): Promise<number> => {
    const { out } = context;
    const two = (rows: readonly (readonly [string | number, string])[]): string => {
      const wide = Math.max(...rows.map(([name]) => String(name).length));
      return rows.map(([name, text]) => `  ${String(name).padStart(wide)}  ${text}\n`).join('');
    };
    if (topic === undefined) out.write(asCalled(helpOf(program), context.io.env));
    else if (topic === 'exit-codes') out.write(`Exit codes, stable:\n${two(exitCodes)}`);
    else if (topic === 'environment') {
      const wide = Math.max(...variables.map(([name]) => name.length));
      out.write(
        `Environment:\n${variables.map(([name, text]) => `  ${name.padEnd(wide)}  ${text}\n`).join('')}`,
      );
    } else {
      const group = commandOf(program, topic, ['exit-codes', 'environment']);
      const command = inGroup === undefined ? group : commandOf(group, inGroup, []);
      out.write(asCalled(helpOf(command), context.io.env));
    }
    return 0;
  };
}

function commandOf(parent: Command, name: string, others: readonly string[]): Command {
  const found = parent.commands.find((one) => one.name() === name || one.aliases().includes(name));
  if (found !== undefined) return found;
  const topics = [...others, ...parent.commands.map((one) => one.name())];
  throw failure('USAGE', `There is no help on ${JSON.stringify(name)}.`, didYouMean(nearest(name, topics)));
}

function helpOf(command: Command): string {
  let text = '';
  command.configureOutput({ writeOut: (piece) => (text += piece) }).outputHelp();
  return text;
}
