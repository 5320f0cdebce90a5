/**
 * Wrappers around the agent's commands. They are constant: the command arrives as `$1`, never as part of the
 * script. State lies beside the repository (`/workspace/.berth`), so that no checkpoint and no proposal sees it.
 */

/** Restores directory and exported variables of the last call, runs the command, and saves them whatever happens. */
export const foregroundScript = `
__berth_home="\${PWD%/*}/.berth"
mkdir -p "$__berth_home" 2>/dev/null
if [ -r "$__berth_home/shell" ]; then . "$__berth_home/shell" 2>/dev/null; fi
__berth_save() {
  { export -p; printf 'cd -- %q 2>/dev/null\\n' "$PWD"; } >"$__berth_home/shell.$$" 2>/dev/null &&
    mv -f "$__berth_home/shell.$$" "$__berth_home/shell" 2>/dev/null
}
trap __berth_save EXIT
eval "$1"
`;

/** Starts where the foreground stands; output and exit code go to files, so that they outlive every worker. */
export const backgroundScript = `
__berth_home="\${PWD%/*}/.berth"
mkdir -p "$__berth_home" 2>/dev/null
if [ -r "$__berth_home/shell" ]; then . "$__berth_home/shell" 2>/dev/null; fi
( eval "$1" ) >"$__berth_home/$2.log" 2>&1 </dev/null
__berth_code=$?
printf '%s' "$__berth_code" >"$__berth_home/$2.exit"
exit "$__berth_code"
`;

/** Set for every command: nothing may ask, page or colour. */
export const quietEnvironment: Readonly<Record<string, string>> = {
  CI: '1',
  PAGER: 'cat',
  GIT_PAGER: 'cat',
  MANPAGER: 'cat',
  GIT_TERMINAL_PROMPT: '0',
  GIT_EDITOR: 'true',
  EDITOR: 'true',
  VISUAL: 'true',
  DEBIAN_FRONTEND: 'noninteractive',
  TERM: 'dumb',
  NO_COLOR: '1',
};

/** Directory of the shell's state and of background output, given the repository's. */
export function berthHome(repositoryPath: string): string {
  return `${repositoryPath.slice(0, repositoryPath.lastIndexOf('/'))}/.berth`;
}
