import type { Socket } from 'node:net';
import { createEgressAccount, type EgressAccount } from '../domain/egress-account.ts';
import type { EgressTraffic } from '../domain/egress.ts';
import type { Clock } from '../domain/ports/clock.ts';
import type { Target } from './hosts.ts';
import { UpstreamError, type Router } from './upstream.ts';

/** So many times the rate of a second may come at once: package managers begin with a burst. */
const burstSeconds = 4;

/**
 * Counts what one sandbox moves into the account of its run, and says when it is enough. Limits can change while it counts;
 * the rate is the sandbox's own.
 */
export function createMeter(
  clock: Clock,
  limits: () => EgressTraffic,
  account: EgressAccount = createEgressAccount(),
) {
  let tokens: number | null = null;
  let filledMs = clock.monotonicMs();

  /** Why no more may pass to or from `target`, or null. */
  function spent(target: Target): string | null {
    const { upBytes, downBytes, hostUpBytes, hostDownBytes } = limits();
    const all = account.all();
    const host = account.of(target.host);
    if (all.up > upBytes) return `this run has sent more than ${size(upBytes)} (egress.limits.upMiB)`;
    if (all.down > downBytes) {
      return `this run has received more than ${size(downBytes)} (egress.limits.downMiB)`;
    }
    if (host.up > hostUpBytes) {
      return `this run has sent more than ${size(hostUpBytes)} to ${target.host} (egress.limits.hostUpMiB)`;
    }
    if (host.down > hostDownBytes) {
      return `this run has received more than ${size(hostDownBytes)} from ${target.host} (egress.limits.hostDownMiB)`;
    }
    return null;
  }

  return {
    /** Asked for each connection or request that is about to go out: why it may not, or null. */
    admit(target: Target): string | null {
      const { perSecond } = limits();
      const now = clock.monotonicMs();
      const most = perSecond * burstSeconds;
      tokens = Math.min(most, (tokens ?? most) + ((now - filledMs) * perSecond) / 1_000);
      filledMs = now;
      if (tokens < 1) {
        return `this sandbox asks for more than ${perSecond} connections a second (egress.limits.perSecond)`;
      }
      tokens -= 1;
      return spent(target);
    },
    /** Told of bytes that passed: why the connection has to end, or null. */
    count(target: Target, up: number, down: number): string | null {
      account.add(target.host, up, down);
      return spent(target);
    },
  };
}
export type Meter = ReturnType<typeof createMeter>;

/** How often open connections are looked at: listening to each chunk would slow all of them down. */
const lookEveryMs = 100;

/**
 * A router that counts what its connections move. One that would be too many is refused; those that moved too much are
 * cut, at most 100 ms late, and `onLimit` is told.
 */
export function meteredRouter(
  router: Router,
  meter: Meter,
  onLimit: (target: Target, reason: string) => void,
): Router {
  const open = new Map<Socket, { readonly target: Target; up: number; down: number }>();
  let timer: NodeJS.Timeout | null = null;

  function look(socket: Socket): void {
    const seen = open.get(socket);
    if (seen === undefined) return;
    const { bytesWritten, bytesRead } = socket;
    const reason = meter.count(seen.target, bytesWritten - seen.up, bytesRead - seen.down);
    seen.up = bytesWritten;
    seen.down = bytesRead;
    if (reason === null) return;
    onLimit(seen.target, reason);
    socket.destroy();
  }

  function metered(socket: Socket, target: Target): Socket {
    open.set(socket, { target, up: socket.bytesWritten, down: socket.bytesRead });
    socket.once('close', () => {
      look(socket);
      open.delete(socket);
      if (open.size > 0 || timer === null) return;
      clearInterval(timer);
      timer = null;
    });
    timer ??= setInterval(() => {
      for (const each of open.keys()) look(each);
    }, lookEveryMs).unref();
    return socket;
  }

  return {
    async route(target, opens, signal) {
      const reason = meter.admit(target);
      if (reason === null) return router.route(target, opens, signal);
      onLimit(target, reason);
      throw new UpstreamError('limited', reason);
    },
    open: async (route, target, signal) => metered(await router.open(route, target, signal), target),
    openProxy: async (proxy, target, signal) =>
      metered(await router.openProxy(proxy, target, signal), target),
  };
}

function size(bytes: number): string {
  return `${Math.round(bytes / 1024 ** 2)} MiB`;
}
