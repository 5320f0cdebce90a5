import { existsSync, readFileSync } from 'node:fs';
import { BerthError } from '../../domain/errors/index.ts';
import { absent, refused } from '../local/syscalls.ts';

/** What this file needs to know of a profile, as engines read it. */
interface Rule {
  readonly names: readonly string[];
  readonly action: string;
  readonly args?: ReadonlyArray<{
    readonly index: number;
    readonly value: number;
    readonly op: string;
  }> | null;
  readonly errnoRet?: number;
}
export interface SeccompProfile {
  readonly archMap?: ReadonlyArray<{ readonly architecture: string }>;
  readonly syscalls: readonly Rule[];
  readonly [other: string]: unknown;
}

/** Where the package `containers-common` puts Podman's own profile. */
const podmanProfiles = ['/etc/containers/seccomp.json', '/usr/share/containers/seccomp.json'];

/**
 * Podman's profile, tightened. @throws BerthError `SANDBOX_UNAVAILABLE` where there is none
 */
export function podmanProfile(): SeccompProfile {
  const file = podmanProfiles.find((path) => existsSync(path));
  if (file === undefined)
    throw new BerthError(
      'SANDBOX_UNAVAILABLE',
      `Podman's system call filter is not at ${podmanProfiles.join(' or ')}: install containers-common.`,
    );
  return tighten(JSON.parse(readFileSync(file, 'utf8')) as SeccompProfile);
}

const allow = 'SCMP_ACT_ALLOW';
const refuse = 'SCMP_ACT_ERRNO';
const equal = (index: number, value: number) => ({ index, value, op: 'SCMP_CMP_EQ' });
/** AF_UNIX, AF_INET, AF_INET6. */
const families = [1, 2, 10];
const netlinkFamily = 16;

/**
 * The engine's profile without what no sandbox needs. Podman 4 lets sockets of every family through: AF_VSOCK reaches the
 * hypervisor, which knows nothing of network namespaces. Programs of other architectures end: their calls have other
 * numbers, and `socketcall` hides its arguments.
 */
export function tighten(base: SeccompProfile): SeccompProfile {
  const ours = new Set([...Object.keys(refused), ...Object.keys(absent), 'socket', 'socketcall']);
  const kept = base.syscalls
    .map((rule) => ({ ...rule, names: rule.names.filter((name) => !ours.has(name)) }))
    .filter(({ names }) => names.length > 0);
  return {
    ...base,
    ...(base.archMap === undefined
      ? {}
      : { archMap: base.archMap.map(({ architecture }) => ({ architecture, subArchitectures: [] })) }),
    syscalls: [
      ...kept,
      { names: Object.keys(refused), action: refuse, args: [], errnoRet: 1 },
      { names: Object.keys(absent), action: refuse, args: [], errnoRet: 38 },
      ...families.map((family) => ({ names: ['socket'], action: allow, args: [equal(0, family)] })),
      // Of netlink only NETLINK_ROUTE, which `getifaddrs` needs.
      { names: ['socket'], action: allow, args: [equal(0, netlinkFamily), equal(2, 0)] },
    ],
  };
}
