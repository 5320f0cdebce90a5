import { z } from 'zod';
import { oneLine } from './bash.ts';
import { execWithOutput } from './exec-output.ts';
import { quietEnvironment } from './shell-script.ts';
import { defineTool, failure } from './tool.ts';

const timeoutMs = 60_000;
const maxOutputBytes = 1024 * 1024;

/**
 * Constant; what is searched arrives as arguments. Without ripgrep, grep does the same less well: ignored files
 * are searched too (but not .git and node_modules).
 */
const script = `
pattern=$1; path=$2; glob=$3; mode=$4
set --
if command -v rg >/dev/null 2>&1; then
  case $mode in *i*) set -- "$@" --ignore-case;; esac
  case $mode in *F*) set -- "$@" --fixed-strings;; esac
  case $mode in *l*) set -- "$@" --files-with-matches;; *) set -- "$@" --line-number --max-count 100;; esac
  [ -n "$glob" ] && set -- "$@" --glob "$glob"
  exec rg --no-config --no-heading --with-filename --color never --hidden --glob '!.git' --sort path --max-columns 300 --max-columns-preview "$@" -e "$pattern" -- "$path"
fi
case $mode in *i*) set -- "$@" -i;; esac
case $mode in *F*) set -- "$@" -F;; *) set -- "$@" -E;; esac
case $mode in *l*) set -- "$@" -l;; *) set -- "$@" -n;; esac
[ -n "$glob" ] && set -- "$@" "--include=\${glob##*/}"
exec grep -rIH --exclude-dir=.git --exclude-dir=node_modules "$@" -e "$pattern" -- "$path"
`;

const input = z.object({
  pattern: z
    .string()
    .min(1)
    .max(2000)
    .describe('Regular expression (Rust syntax), or plain text with literal.'),
  path: z
    .string()
    .min(1)
    .max(4096)
    .default('.')
    .describe('Directory or file to search, from the repository.'),
  glob: z.string().max(500).default('').describe("Only files that match, such as '*.ts' or 'src/**'."),
  ignore_case: z.boolean().default(false),
  literal: z.boolean().default(false).describe('The pattern is plain text.'),
  files_only: z.boolean().default(false).describe('Only the names of files with a match.'),
});

export const search = defineTool({
  name: 'search',
  description:
    'Searches file contents with ripgrep and returns path:line:text, sorted by path. Ignored files are left out. ' +
    'Prefer it to grep in bash.',
  kind: 'reads',
  input,
  run: async (call, context) => {
    const mode = `${call.ignore_case ? 'i' : ''}${call.literal ? 'F' : ''}${call.files_only ? 'l' : ''}`;
    const { result, text, full } = await execWithOutput(
      {
        id: context.id,
        command: { argv: ['sh', '-c', script, 'sh', call.pattern, call.path, call.glob, mode] },
        cwd: context.repositoryPath,
        env: quietEnvironment,
        timeoutMs,
        maxOutputBytes,
        overflow: 'truncate',
      },
      context,
    );
    const what = `search ${oneLine(call.pattern, 60)}`;
    const kept = { ...(full === null ? {} : { full }), forget: [context.id] };
    if (result.kind === 'lost') {
      const text = `Interrupted: the ${result.what} was lost. Search again.`;
      return { ...failure(text, `${what} interrupted`), ...kept, interrupted: true };
    }
    if (result.timedOut) {
      const advice = 'Search a smaller directory or a simpler pattern.';
      return { ...failure(`Stopped after 60 s. ${advice}\n${text}`, `${what}: timed out`), ...kept };
    }
    if (result.exitCode === 1)
      return { text: 'No matches.', isError: false, summary: `${what}: none`, ...kept };
    if (result.exitCode !== 0 && !result.truncated) {
      return { ...failure(text === '' ? 'The search failed.' : text, `${what}: failed`), ...kept };
    }
    const found = text.split('\n').filter((line) => line !== '').length;
    return { text, isError: false, summary: `${what} (${full === null ? found : 'many'} lines)`, ...kept };
  },
});
