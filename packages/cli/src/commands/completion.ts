import type { Command } from 'commander';
import type { CommandContext, CommonFlags } from '../command-context.ts';
import { failure } from '../failure.ts';

/** `berth completion bash|zsh|fish`: commands and flags; ids are asked of `berth runs -q` when a server answers. */
export function completionFor(program: Command) {
  return async (context: CommandContext, _: CommonFlags, shell: string | undefined): Promise<number> => {
    const commands = program.commands.filter((one) => one.name() !== 'host');
    const tree = commands.map((one) => ({
      name: one.name(),
      what: one.description().replaceAll("'", '’'),
      words: [
        ...one.commands.map((sub) => sub.name()),
        ...one.options.filter((option) => !option.hidden).flatMap((option) => option.long ?? []),
      ],
    }));
    const script = scripts[shell ?? '']?.(tree);
    if (script === undefined) {
      throw failure(
        'USAGE',
        `There is no completion for ${JSON.stringify(shell)}.`,
        'Known: bash, zsh, fish.',
      );
    }
    context.out.write(script);
    return 0;
  };
}

type Tree = readonly { readonly name: string; readonly what: string; readonly words: readonly string[] }[];

const withIds = 'show|logs|diff|cancel|pause|resume|steer|status';

const scripts: Readonly<Record<string, (tree: Tree) => string>> = {
  bash: (tree) => `_berth() {
  local word=\${COMP_WORDS[COMP_CWORD]} words=
  if [ "$COMP_CWORD" -eq 1 ]; then
    words='${tree.map(({ name }) => name).join(' ')}'
  else
    case "\${COMP_WORDS[1]}" in
${tree.map(({ name, words }) => `      ${name}) words='${words.join(' ')}' ;;`).join('\n')}
    esac
    case "\${COMP_WORDS[1]}" in
      ${withIds}) [ "\${word#-}" = "$word" ] && words="$words $(berth runs -q 2>/dev/null)" ;;
    esac
  fi
  COMPREPLY=($(compgen -W "$words" -- "$word"))
}
complete -F _berth berth
`,
  zsh: (tree) => `#compdef berth
_berth() {
  local -a commands
  commands=(
${tree.map(({ name, what }) => `    '${name}:${what.replaceAll(':', '\\:')}'`).join('\n')}
  )
  if (( CURRENT == 2 )); then
    _describe command commands
    return
  fi
  case "$words[2]" in
${tree.map(({ name, words }) => `    ${name}) compadd -- ${words.join(' ')} ;;`).join('\n')}
  esac
  case "$words[2]" in
    ${withIds}) compadd -- \${(f)"$(berth runs -q 2>/dev/null)"} ;;
  esac
}
compdef _berth berth
`,
  fish: (tree) =>
    `complete -c berth -f
${tree
  .map(
    ({ name, what, words }) =>
      `complete -c berth -n __fish_use_subcommand -a ${name} -d '${what}'\n` +
      `complete -c berth -n '__fish_seen_subcommand_from ${name}' -a '${words.join(' ')}'`,
  )
  .join('\n')}
complete -c berth -n '__fish_seen_subcommand_from ${withIds.replaceAll('|', ' ')}' -a '(berth runs -q 2>/dev/null)'
`,
};
