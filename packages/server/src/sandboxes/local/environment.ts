import { proxyEnv, trustFileNames } from '../../egress/index.ts';
import { insideHome, insideUser } from './etc-files.ts';
import { insideProxyPort, insideTools, insideTrust } from './inside.ts';

/** Variables of a command's environment that nobody outside may set: they decide where its programs come from. */
export function sandboxEnvironment(options: {
  /** Where programs come from: directories for PATH and variables of tool chains, of the host or of the image. */
  readonly programs: {
    readonly path: readonly string[];
    readonly env: Readonly<Record<string, string>>;
  };
  /** Registry settings of the operator, credentials stripped. */
  readonly registries: Readonly<Record<string, string>>;
  /** Directory of the files that make programs trust the sandbox's authority. */
  readonly trust?: string;
  /** What the spec adds; it wins. */
  readonly spec: Readonly<Record<string, string>>;
}): Record<string, string> {
  const trust = options.trust ?? insideTrust;
  return {
    // Berth's own programs (ripgrep; Node where there is none) come last: the host's, or the image's, win.
    PATH: [`${insideHome}/.local/bin`, ...options.programs.path, `${insideTools}/bin`].join(':'),
    HOME: insideHome,
    USER: insideUser,
    LOGNAME: insideUser,
    SHELL: '/bin/sh',
    LANG: 'C.UTF-8',
    TMPDIR: '/tmp',
    TERM: 'dumb',
    // A pager or an editor would wait for a person who is not there.
    PAGER: 'cat',
    GIT_PAGER: 'cat',
    MANPAGER: 'cat',
    EDITOR: 'true',
    GIT_EDITOR: 'true',
    GIT_TERMINAL_PROMPT: '0',
    DEBIAN_FRONTEND: 'noninteractive',
    // Tools that download another version of themselves would fail, or change what a check means.
    GOTOOLCHAIN: 'local',
    npm_config_update_notifier: 'false',
    npm_config_fund: 'false',
    npm_config_audit: 'false',
    ...options.programs.env,
    ...proxyEnv({
      proxyPort: insideProxyPort,
      caFile: `${trust}/${trustFileNames.bundle}`,
      javaTrustStore: `${trust}/${trustFileNames.java}`,
    }),
    ...options.registries,
    ...options.spec,
  };
}
