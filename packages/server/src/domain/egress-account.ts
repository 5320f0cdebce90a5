/** What passed in each direction, in bytes. */
export interface EgressMoved {
  readonly up: number;
  readonly down: number;
  /** Of the hosts that moved most: up and down. */
  readonly hosts: Readonly<Record<string, [up: number, down: number]>>;
}

export const nothingMoved: EgressMoved = { up: 0, down: 0, hosts: {} };

/** What one run moved up to now, shared by the doors of all its sandboxes. */
export interface EgressAccount {
  add(host: string, up: number, down: number): void;
  all(): { readonly up: number; readonly down: number };
  of(host: string): { readonly up: number; readonly down: number };
  /** To be recorded, so that the next owner of the run goes on from there. */
  moved(): EgressMoved;
}

/** Hosts that are counted one by one; what lies beyond shares one count, so that a flood of names costs no memory. */
const countedHosts = 1_000;
/** Hosts that are recorded by name. */
const recordedHosts = 50;

/** @param before what earlier owners of the run counted */
export function createEgressAccount(before: EgressMoved = nothingMoved): EgressAccount {
  let { up: allUp, down: allDown } = before;
  const hosts = new Map(Object.entries(before.hosts).map(([host, [up, down]]) => [host, { up, down }]));
  const keyOf = (host: string): string => (hosts.has(host) || hosts.size < countedHosts ? host : '');
  return {
    add(host, up, down) {
      allUp += up;
      allDown += down;
      const key = keyOf(host);
      const count = hosts.get(key);
      if (count === undefined) hosts.set(key, { up, down });
      else {
        count.up += up;
        count.down += down;
      }
    },
    all: () => ({ up: allUp, down: allDown }),
    of: (host) => hosts.get(keyOf(host)) ?? { up: 0, down: 0 },
    moved() {
      const most = [...hosts]
        .toSorted(([, a], [, b]) => b.up + b.down - (a.up + a.down))
        .slice(0, recordedHosts)
        .map(([host, { up, down }]) => [host, [up, down]] as [string, [number, number]]);
      return { up: allUp, down: allDown, hosts: Object.fromEntries(most) };
    },
  };
}

const firstRecordBytes = 16 * 1024 ** 2;

/**
 * Whether what moved since it was recorded last is worth another entry: 16 MiB, later an eighth of the whole. A run that
 * moves 34 GiB makes some sixty entries, and a killed worker forgets an eighth at most. Pure.
 */
export function isWorthRecording(
  recorded: Pick<EgressMoved, 'up' | 'down'>,
  now: Pick<EgressMoved, 'up' | 'down'>,
): boolean {
  const step = (sum: number): number => Math.max(firstRecordBytes, sum / 8);
  return now.up - recorded.up >= step(recorded.up) || now.down - recorded.down >= step(recorded.down);
}
