/** Variables that tools inside find their way, their shell or their certificates by; upper case. */
const reservedNames = new Set([
  'PATH',
  'HOME',
  'USER',
  'LOGNAME',
  'SHELL',
  'TMPDIR',
  'TMP',
  'TEMP',
  'PWD',
  'OLDPWD',
  'IFS',
  'HOSTNAME',
  // Code that shells and interpreters load by themselves.
  'ENV',
  'BASH_ENV',
  'SHELLOPTS',
  'BASHOPTS',
  'PS4',
  'PROMPT_COMMAND',
  'NODE_OPTIONS',
  'NODE_PATH',
  'PYTHONPATH',
  'PYTHONHOME',
  'PYTHONSTARTUP',
  'PERL5LIB',
  'PERL5OPT',
  'PERL5DB',
  'RUBYOPT',
  'RUBYLIB',
  'JAVA_TOOL_OPTIONS',
  '_JAVA_OPTIONS',
  'JDK_JAVA_OPTIONS',
  'GIT_SSH',
  'GIT_SSH_COMMAND',
  'GIT_EXTERNAL_DIFF',
  'GIT_EXEC_PATH',
  // Whom tools trust.
  'NODE_EXTRA_CA_CERTS',
  'NODE_USE_ENV_PROXY',
  'NODE_TLS_REJECT_UNAUTHORIZED',
  'SSL_CERT_FILE',
  'SSL_CERT_DIR',
  'PIP_CERT',
  'CARGO_HTTP_CAINFO',
  'GIT_SSL_CAINFO',
  'GIT_SSL_CAPATH',
  'GIT_SSL_NO_VERIFY',
  'DENO_CERT',
  'GRPC_DEFAULT_SSL_ROOTS_FILE_PATH',
  'NPM_CONFIG_CA',
  'NPM_CONFIG_CAFILE',
  'NPM_CONFIG_STRICT_SSL',
  'NPM_CONFIG_NOPROXY',
  // What keeps commands from waiting for somebody.
  'CI',
  'PAGER',
  'GIT_PAGER',
  'GIT_TERMINAL_PROMPT',
  'DEBIAN_FRONTEND',
]);

const reservedForms: readonly RegExp[] = [
  /^(LD|DYLD|BERTH|BASH_FUNC|SANDBOX_ENV)_/,
  /^GIT_CONFIG/,
  // HTTP_PROXY, NPM_CONFIG_HTTPS_PROXY, NO_PROXY …
  /(^|_)(PROXY|NO_?PROXY)$/,
  /(^|_)CA_?(BUNDLE|CERTS?|FILE)$/,
];

/** Whether nobody but Berth sets a variable of that name in a sandbox; case counts for nothing. Pure. */
export function isReservedEnv(name: string): boolean {
  const upper = name.toUpperCase();
  return reservedNames.has(upper) || reservedForms.some((form) => form.test(upper));
}
