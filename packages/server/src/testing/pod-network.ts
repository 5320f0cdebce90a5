import { execFileSync } from 'node:child_process';
import { randomInt } from 'node:crypto';

const run = (file: string, ...args: readonly string[]): void => {
  execFileSync(file, args, { stdio: ['ignore', 'ignore', 'pipe'] });
};

/** Whether a network of its own can be made for a pod, or what is missing for it. */
export const podNetworkIsMissing: string | null = (() => {
  if (process.getuid?.() !== 0) return 'root';
  for (const [program, ...args] of [
    ['ip', '-V'],
    ['nft', '--version'],
    ['setpriv', '--version'],
  ] as const) {
    try {
      run(program, ...args);
    } catch {
      return program;
    }
  }
  const probe = `berth-probe-${process.pid}`;
  try {
    run('ip', 'netns', 'add', probe);
    run('ip', 'netns', 'exec', probe, 'nft', 'add', 'table', 'inet', 'probe');
    return null;
  } catch {
    return 'network namespaces with nftables';
  } finally {
    try {
      run('ip', 'netns', 'del', probe);
    } catch {
      // It was never made.
    }
  }
})();

/** A network namespace with one interface, as a pod has it, and this machine at the other end as its node. */
export interface PodNetwork {
  readonly name: string;
  /** The pod's address. */
  readonly podAddress: string;
  /** This machine, seen from the pod. */
  readonly nodeAddress: string;
  /** Puts in force what a NetworkPolicy would: nothing leaves the pod but answers. */
  deny(): void;
  /** Takes it back. */
  allow(): void;
  /** Runs a program in it. */
  readonly prefix: readonly string[];
  remove(): void;
}

/** Makes the namespace; needs root. */
export function makePodNetwork(): PodNetwork {
  const id = randomInt(1, 0x3fff);
  const name = `berth-${id.toString(16)}-${process.pid}`;
  const [outside, inside] = [`bo${id.toString(16)}`, `bi${id.toString(16)}`];
  // 198.18.0.0/15 is for tests of networks (RFC 2544); a /30 of its own for each.
  const base = [198, 18, id >> 6, (id & 0x3f) << 2];
  const at = (last: number): string => [...base.slice(0, 3), base[3]! + last].join('.');
  const [nodeAddress, podAddress] = [at(1), at(2)];
  run('ip', 'netns', 'add', name);
  const within = (...args: readonly string[]): void => run('ip', 'netns', 'exec', name, ...args);
  run('ip', 'link', 'add', outside, 'type', 'veth', 'peer', 'name', inside, 'netns', name);
  run('ip', 'addr', 'add', `${nodeAddress}/30`, 'dev', outside);
  run('ip', 'link', 'set', outside, 'up');
  within('ip', 'addr', 'add', `${podAddress}/30`, 'dev', inside);
  within('ip', 'link', 'set', inside, 'up');
  within('ip', 'link', 'set', 'lo', 'up');
  within('ip', 'route', 'add', 'default', 'via', nodeAddress);
  return {
    name,
    podAddress,
    nodeAddress,
    prefix: ['ip', 'netns', 'exec', name],
    deny() {
      within('nft', 'add table inet denied');
      within('nft', 'add chain inet denied out { type filter hook output priority 0; policy accept; }');
      within('nft', `add rule inet denied out oifname "${inside}" tcp flags & (syn | ack) == syn drop`);
      within('nft', `add rule inet denied out oifname "${inside}" meta l4proto udp drop`);
    },
    allow() {
      within('nft', 'delete table inet denied');
    },
    remove() {
      run('ip', 'netns', 'del', name);
    },
  };
}
