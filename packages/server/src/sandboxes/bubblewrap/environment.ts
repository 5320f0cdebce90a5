import { proxyEnv } from '../../egress/index.ts';
import { insideHome, insideUser } from './etc-files.ts';
import { insideProxyPort, insideTools } from './plan.ts';
import type { Toolchains } from './toolchains.ts';

/** Variables of a command's environment that nobody outside may set: they decide where its programs come from. */
export function sandboxEnvironment(options: {
  readonly toolchains: Toolchains;
  /** Registry settings of the operator, credentials stripped. */
  readonly registries: Readonly<Record<string, string>>;
  readonly caFile: string;
  readonly javaTrustStore: string;
  /** What the spec adds; it wins. */
  readonly spec: Readonly<Record<string, string>>;
}): Record<string, string> {
  return {
    // Berth's own programs (ripgrep; Node where the host has none) come last: the host's win.
    PATH: [`${insideHome}/.local/bin`, ...options.toolchains.path, `${insideTools}/bin`].join(':'),
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
    ...options.toolchains.env,
    ...proxyEnv({
      proxyPort: insideProxyPort,
      caFile: options.caFile,
      javaTrustStore: options.javaTrustStore,
    }),
    ...options.registries,
    ...options.spec,
  };
}
