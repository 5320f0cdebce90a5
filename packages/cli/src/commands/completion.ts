import type { Command } from 'commander';
import type { CommandContext, CommonFlags } from '../command-context.ts';
import { failure } from '../failure.ts';

/** `berth completion bash|zsh|fish`: commands and flags; ids are asked of `berth runs -q` when a server answers. */
export function completionFor(program: Command) {
  return async (context: CommandContext, _: CommonFlags, shell: string | undefined): Promise<number> => {
    const script = scripts[shell ?? '']?.(treeOf(program));
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

interface Node {
  readonly name: string;
  readonly what: string;
  readonly words: readonly string[];
  /** Whether an id of a run comes next. */
  readonly takesRun: boolean;
  readonly parts: readonly Node[];
}

function treeOf(program: Command): readonly Node[] {
  const everywhere = flagsOf(program).filter((flag) => flag !== '--version');
  const node = (command: Command): Node => {
    const parts = command.commands.map(node);
    return {
      name: command.name(),
      what: command.description().replaceAll("'", '’'),
      words: [
        ...parts.map(({ name }) => name),
        ...(command.name() === 'completion' ? ['bash', 'zsh', 'fish'] : []),
        ...flagsOf(command),
        ...everywhere,
      ],
      takesRun: command.options.some(({ long }) => long === '--last'),
      parts,
    };
  };
  return program.commands.filter((one) => one.name() !== 'host').map(node);
}

function flagsOf(command: Command): string[] {
  return command.options.filter((option) => !option.hidden).flatMap((option) => option.long ?? []);
}

const ids = 'berth runs -q 2>/dev/null';

const scripts: Readonly<Record<string, (tree: readonly Node[]) => string>> = {
  bash: (tree) => {
    const words = ({ words: all, takesRun }: Node): string =>
      `words='${all.join(' ')}'${takesRun ? '; ids=yes' : ''} ;;`;
    const level = (node: Node): string[] => [
      `      ${node.name}) ${words(node)}`,
      ...node.parts.map((part) => `      '${node.name} ${part.name}') ${words(part)}`),
    ];
    return `_berth() {
  local word=\${COMP_WORDS[COMP_CWORD]} words= ids= group=\${COMP_WORDS[1]}
  if [ "$COMP_CWORD" -eq 1 ]; then
    words='${tree.map(({ name }) => name).join(' ')}'
  else
    if [ "$COMP_CWORD" -gt 2 ]; then
      case "$group" in ${tree
        .filter(({ parts }) => parts.length > 0)
        .map(({ name }) => name)
        .join('|')}) group="$group \${COMP_WORDS[2]}" ;; esac
    fi
    case "$group" in
${tree.flatMap(level).join('\n')}
    esac
    [ -z "$ids" ] || [ "\${word#-}" != "$word" ] || words="$words $(${ids})"
  fi
  COMPREPLY=($(compgen -W "$words" -- "$word"))
}
complete -F _berth berth
`;
  },
  zsh: (tree) => {
    const words = ({ words: all, takesRun }: Node): string =>
      `compadd -- ${all.join(' ')}${takesRun ? ` \${(f)"$(${ids})"}` : ''} ;;`;
    const level = (node: Node): string[] => [
      ...node.parts.map((part) => `    '${node.name} ${part.name}') ${words(part)}`),
      `    ${node.name}|'${node.name} '*) ${words(node)}`,
    ];
    return `#compdef berth
_berth() {
  local -a commands
  commands=(
${tree.map(({ name, what }) => `    '${name}:${what.replaceAll(':', '\\:')}'`).join('\n')}
  )
  if (( CURRENT == 2 )); then
    _describe command commands
    return
  fi
  local group="$words[2]"
  (( CURRENT > 3 )) && group="$group $words[3]"
  case "$group" in
${tree.flatMap(level).join('\n')}
  esac
}
compdef _berth berth
`;
  },
  fish: (tree) => {
    const lines = (node: Node, when: string): string[] => [
      `complete -c berth -n '${when}' -a '${node.words.join(' ')}'`,
      ...(node.takesRun ? [`complete -c berth -n '${when}' -a '(${ids})'`] : []),
      ...node.parts.flatMap((part) => lines(part, `${when}; and __fish_seen_subcommand_from ${part.name}`)),
    ];
    return `complete -c berth -f
${tree
  .flatMap((node) => [
    `complete -c berth -n __fish_use_subcommand -a ${node.name} -d '${node.what}'`,
    ...lines(node, `__fish_seen_subcommand_from ${node.name}`),
  ])
  .join('\n')}
`;
  },
};
