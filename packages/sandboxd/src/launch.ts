/**
 * How a driver starts the two processes of a sandbox.
 *
 * 1. Make three directories: one for the worker's socket (0700), one for the runner's socket (the only one that is
 *    bound into the sandbox), one for the spool (0700, on disk).
 * 2. Start sandboxd with `sandboxdArgv`, outside the sandbox's namespaces, with an empty environment but PATH. It writes
 *    one line of JSON to stdout when it listens: `{"ready":true,"bootId":"…"}`.
 * 3. Start `runnerArgv` inside the namespaces with `runnerEnvironment`: what every command inherits (PATH, HOME, LANG …);
 *    the proxy variables are added by the runner.
 *
 * Both end with 143 on SIGTERM. The runner's supervisor ends with 75 when sandboxd is gone.
 */

/** Small heaps: a fork takes longer the more memory its process has (1.1 ms at 52 MiB, 12 ms at 161 MiB). */
export const nodeFlags = [
  '--disable-sigusr1',
  '--max-semi-space-size=1',
  '--max-old-space-size=96',
  '--no-warnings',
];

export interface SandboxdLaunch {
  /** The Node program, as sandboxd's environment sees it. */
  readonly node: string;
  /** `sandboxd.mjs`, from `sandboxdBundle()`. */
  readonly bundle: string;
  readonly sandboxId: string;
  /** Unix socket sandboxd listens on for the worker. */
  readonly workerSocket: string;
  /** Unix socket sandboxd listens on for the runner, in a directory of its own. */
  readonly runnerSocket: string;
  /** Directory for output that does not fit into memory; up to 64 MiB. */
  readonly spoolDirectory: string;
  /** `memory.events` (cgroup v2) or `memory.oom_control` (v1) of the sandbox, to tell a memory kill from another. */
  readonly oomCounterFile?: string;
  /** JSON file with a `RunnerProcessSpec`: sandboxd then starts the runner itself and keeps it up. */
  readonly runnerFile?: string;
  /** JSON file with a `ContainerProcessSpec`: the runner is in a container that sandboxd starts and keeps up. */
  readonly containerFile?: string;
  /** It ends itself after this long without a worker. */
  readonly idleMinutes?: number;
  /** Where no control group counts: all processes together may use this; the count goes to `oomCounterFile`. */
  readonly memoryLimitBytes?: number;
  /** Directories whose size it watches, and the size at which it ends the sandbox. */
  readonly disk?: { readonly paths: readonly string[]; readonly limitBytes: number };
}

/** The argument list that starts sandboxd. */
export function sandboxdArgv(launch: SandboxdLaunch): string[] {
  return [
    launch.node,
    ...nodeFlags,
    launch.bundle,
    '--sandbox',
    launch.sandboxId,
    '--worker-socket',
    launch.workerSocket,
    '--runner-socket',
    launch.runnerSocket,
    '--spool',
    launch.spoolDirectory,
    ...(launch.oomCounterFile === undefined ? [] : ['--oom-counter', launch.oomCounterFile]),
    ...(launch.runnerFile === undefined ? [] : ['--runner', launch.runnerFile]),
    ...(launch.containerFile === undefined ? [] : ['--container', launch.containerFile]),
    ...(launch.idleMinutes === undefined ? [] : ['--idle-minutes', String(launch.idleMinutes)]),
    ...(launch.memoryLimitBytes === undefined ? [] : ['--memory-limit', String(launch.memoryLimitBytes)]),
    ...(launch.disk === undefined
      ? []
      : ['--disk-paths', launch.disk.paths.join(':'), '--disk-limit', String(launch.disk.limitBytes)]),
  ];
}

export interface RunnerLaunch {
  /** A POSIX shell for the supervisor, as it is seen inside; the image's own `/bin/sh` otherwise. */
  readonly shell?: string;
  /** The Node program, as it is seen inside the sandbox. */
  readonly node: string;
  /** `runner.mjs`, as it is seen inside the sandbox. */
  readonly bundle: string;
  readonly sandboxId: string;
  /** sandboxd's runner socket, as it is seen inside the sandbox. */
  readonly socket: string;
  /** Port of the egress door on 127.0.0.1 inside; 0 takes a free one; absent: no door. */
  readonly egressPort?: number;
  /** Where `/workspace` lies when it is not `/workspace` itself (a runner without a file system of its own). */
  readonly workspace?: string;
  /** What counts as disk use; defaults to the workspace. */
  readonly diskRoots?: readonly string[];
}

/**
 * The supervisor: a shell (about 1 MiB) that starts the runner, starts it again with the next generation when it dies,
 * waits longer each time up to 5 s, and reaps. `BERTH_GENERATION` is the last number that was used before it. It only stops when it is told to (SIGTERM: 143) or sandboxd is gone (75).
 */
const supervisor = `
generation=\${BERTH_GENERATION:-0}
unset BERTH_GENERATION
delay=0.05
pid=
stop() { trap '' TERM INT; [ -n "$pid" ] && kill -TERM "$pid" 2>/dev/null; [ -n "$pid" ] && wait "$pid"; exit 143; }
trap stop TERM INT
trap '' HUP
while :; do
  generation=$((generation + 1))
  "$@" --generation "$generation" </dev/null &
  pid=$!
  wait "$pid" 2>/dev/null
  code=$?
  [ "$code" = 75 ] && exit 75
  pid=
  sleep "$delay" & wait $!
  case $delay in 0.05) delay=0.2 ;; 0.2) delay=1 ;; *) delay=5 ;; esac
done
`;

/** The variable in which the runner finds its commands' environment. */
export const commandEnvironmentName = 'BERTH_COMMAND_ENV';
/**
 * Set where the runner's own environment is that of the user's image, which nobody outside could ask for: commands start
 * from it, and `{image}` in their PATH stands for its PATH.
 */
export const imageEnvironmentName = 'BERTH_IMAGE_ENV';

/**
 * The environment to start `runnerArgv` with: nothing but PATH, TMPDIR and, as one JSON value, what every command inherits. Kept
 * apart, so that a project's `NODE_OPTIONS` or `LD_PRELOAD` is for its commands and does not break the runner.
 * @param commands PATH, HOME, LANG, `SandboxSpec.env` …; at most 128 KiB as JSON
 */
export function runnerEnvironment(commands: Readonly<Record<string, string>>): Record<string, string> {
  return {
    PATH: commands['PATH'] ?? '/usr/local/bin:/usr/bin:/bin',
    ...(commands['TMPDIR'] === undefined ? {} : { TMPDIR: commands['TMPDIR'] }),
    [commandEnvironmentName]: JSON.stringify(commands),
    // glibc otherwise keeps the memory of past output, and a fork takes longer the more of it there is.
    MALLOC_ARENA_MAX: '2',
    MALLOC_TRIM_THRESHOLD_: '262144',
  };
}

/** The argument list that starts the runner under its supervisor. */
export function runnerArgv(launch: RunnerLaunch): string[] {
  return [
    launch.shell ?? '/bin/sh',
    '-c',
    supervisor,
    'berth-runner',
    launch.node,
    ...nodeFlags,
    launch.bundle,
    '--sandbox',
    launch.sandboxId,
    '--socket',
    launch.socket,
    ...(launch.egressPort === undefined ? [] : ['--egress-port', String(launch.egressPort)]),
    ...(launch.workspace === undefined ? [] : ['--workspace', launch.workspace]),
    ...(launch.diskRoots === undefined ? [] : ['--disk-roots', launch.diskRoots.join(':')]),
  ];
}
