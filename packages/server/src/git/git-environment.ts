/** Which transport one git process may use; every other one is refused by git itself. */
export type Transport = 'file' | 'https' | 'http' | 'ssh';

/**
 * Settings given on the command line, where they win over every configuration file, a repository's own
 * included. Each of them names something that would otherwise execute a program or change bytes because a
 * repository says so.
 */
const hardened: readonly string[] = [
  'safe.directory=*',
  'core.hooksPath=/dev/null',
  'core.fsmonitor=false',
  'core.untrackedCache=false',
  'core.attributesFile=/dev/null',
  'core.excludesFile=/dev/null',
  'core.autocrlf=false',
  'core.safecrlf=false',
  'core.symlinks=true',
  'core.fileMode=true',
  'core.ignoreCase=false',
  'core.precomposeUnicode=false',
  'core.quotePath=false',
  'core.pager=cat',
  'core.editor=false',
  'core.askPass=',
  'core.gitProxy=',
  'core.alternateRefsCommand=true',
  'credential.helper=',
  'commit.gpgSign=false',
  'tag.gpgSign=false',
  'push.gpgSign=false',
  'gc.auto=0',
  'maintenance.auto=false',
  'fetch.recurseSubmodules=false',
  'submodule.recurse=false',
  'push.recurseSubmodules=no',
  'diff.external=',
  'diff.noprefix=false',
  'diff.mnemonicPrefix=false',
  'color.ui=false',
  'advice.detachedHead=false',
  'init.defaultBranch=main',
  'transfer.fsckObjects=true',
  'fetch.fsckObjects=true',
  'receive.fsckObjects=true',
  'http.lowSpeedLimit=1000',
  'http.lowSpeedTime=60',
];

/**
 * Old, harmless flaws that many well-known repositories carry in their history. They are accepted in what a
 * project already has (fetch) and never in a proposal.
 */
const historicalFlaws = [
  'badDateOverflow',
  'badEmail',
  'badName',
  'badTimezone',
  'extraHeaderEntry',
  'missingAuthor',
  'missingEmail',
  'missingNameBeforeEmail',
  'missingSpaceBeforeDate',
  'missingSpaceBeforeEmail',
  'missingTaggerEntry',
  'multipleAuthors',
  'nulInCommit',
  'zeroPaddedDate',
  'zeroPaddedFilemode',
];

/** What a git process gets in front of its own arguments. */
export function hardeningArguments(options: { keepCredentials?: boolean } = {}) {
  const settings = hardened.filter(
    (setting) => !(options.keepCredentials === true && setting === 'credential.helper='),
  );
  const all = [...settings, ...historicalFlaws.map((flaw) => `fetch.fsck.${flaw}=ignore`)];
  return ['--no-pager', '--no-replace-objects', ...all.flatMap((setting) => ['-c', setting])];
}

/**
 * Commands for the far side of a local transport. Git clears inherited `-c` settings there, so they are given
 * anew; these are constants, never data.
 */
const farSide =
  "git -c 'safe.directory=*' -c core.hooksPath=/dev/null -c core.fsmonitor=false -c gc.auto=0 -c maintenance.auto=false -c core.alternateRefsCommand=true -c receive.autogc=false";
export const localUploadPack = `${farSide} upload-pack`;
// A project that is shallow itself is pushed to the local forge with the history it has.
export const localReceivePack = `${farSide} -c receive.shallowUpdate=true receive-pack`;

const remoteVariables = [
  'HTTP_PROXY',
  'HTTPS_PROXY',
  'NO_PROXY',
  'ALL_PROXY',
  'http_proxy',
  'https_proxy',
  'no_proxy',
  'all_proxy',
  'SSL_CERT_FILE',
  'SSL_CERT_DIR',
  'GIT_SSL_CAINFO',
  'SSH_AUTH_SOCK',
  'HOME',
  'XDG_CONFIG_HOME',
];

/**
 * The whole environment of a git process; nothing else of the worker's is inherited.
 *
 * @param options.transport the one transport it may use. A remote one hands over proxy, certificate and ssh agent settings.
 * @param options.trustUserConfig reads the operator's own git configuration too (credential helpers, url
 *   rewriting): only for fetching, and only when the operator runs Berth as themselves.
 */
export function gitEnvironment(
  source: Readonly<Record<string, string | undefined>>,
  options: { transport: Transport | null; trustUserConfig: boolean },
): Record<string, string> {
  const environment: Record<string, string> = {
    PATH: source['PATH'] ?? '/usr/local/bin:/usr/bin:/bin',
    HOME: '/nonexistent',
    LC_ALL: 'C',
    TZ: 'UTC',
    GIT_TERMINAL_PROMPT: '0',
    GIT_OPTIONAL_LOCKS: '0',
    GIT_NO_LAZY_FETCH: '1',
    GIT_NO_REPLACE_OBJECTS: '1',
    GIT_ATTR_NOSYSTEM: '1',
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_CONFIG_GLOBAL: '/dev/null',
    GIT_PROTOCOL_FROM_USER: '0',
    // Wins over `protocol.*` of every configuration, a repository's own included.
    GIT_ALLOW_PROTOCOL: options.transport ?? 'none',
    GIT_ASKPASS: 'false',
    SSH_ASKPASS: 'false',
    GIT_SSH_COMMAND: 'ssh -oBatchMode=yes -oConnectTimeout=20',
    PAGER: 'cat',
  };
  if (options.transport !== null && options.transport !== 'file') {
    for (const name of remoteVariables) {
      const value = source[name];
      if (value !== undefined) environment[name] = value;
    }
  }
  if (options.trustUserConfig) {
    delete environment['GIT_CONFIG_NOSYSTEM'];
    delete environment['GIT_CONFIG_GLOBAL'];
    // The operator's own `core.sshCommand` counts; without a terminal it cannot ask either.
    delete environment['GIT_SSH_COMMAND'];
  }
  return environment;
}
