import { launchScript } from './launch-script.ts';

/** Who the sandbox's processes are outside. */
export type Identity =
  /** Root started it: a uid of its own. */
  | { readonly kind: 'dedicated'; readonly uid: number }
  /** An ordinary user started it: that user. */
  | { readonly kind: 'self' };

export interface LaunchSteps {
  readonly identity: Identity;
  readonly image?: {
    readonly file: string;
    readonly mountPoint: string;
    readonly directories: readonly string[];
  };
  readonly binds?: ReadonlyArray<{ readonly source: string; readonly target: string }>;
  readonly cgroupFiles?: readonly string[];
}

/**
 * The command that starts bubblewrap: join the control groups, mount what only root can, give up root and every
 * capability for good, then go. `bwrap` and its arguments follow.
 */
export function launchArgv(steps: LaunchSteps, bubblewrap: readonly string[]): string[] {
  const list: string[] = [];
  if (steps.image !== undefined && steps.identity.kind === 'dedicated') {
    list.push('image', steps.image.file, steps.image.mountPoint);
    for (const directory of steps.image.directories) list.push('own', directory, String(steps.identity.uid));
  }
  for (const { source, target } of steps.binds ?? []) list.push('bind', source, target);
  for (const file of steps.cgroupFiles ?? []) list.push('cgroup', file);
  const shell = ['/bin/sh', '-c', launchScript, 'berth-launch', ...list, '--'];
  if (steps.identity.kind === 'self') return [...shell, ...bubblewrap];
  const uid = String(steps.identity.uid);
  return [
    'unshare',
    '--mount',
    '--propagation',
    'private',
    ...shell,
    'setpriv',
    '--reuid',
    uid,
    '--regid',
    uid,
    '--clear-groups',
    '--inh-caps=-all',
    '--bounding-set=-all',
    '--no-new-privs',
    '--',
    ...bubblewrap,
  ];
}
