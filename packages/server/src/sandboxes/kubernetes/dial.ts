import type { Duplex } from 'node:stream';
import type { ChannelAuthority } from '../../channel/authority.ts';
import type { Channel } from '../../channel/channel.ts';
import { connectChannel } from '../../channel/connect.ts';
import { dialTls } from '../../channel/dial-tls.ts';
import type { PinnedCertificate } from '../../channel/sandboxd-certificate.ts';
import type { EgressDecision } from '../../domain/egress.ts';
import { BerthError } from '../../domain/errors/index.ts';
import type { Clock } from '../../domain/ports/clock.ts';
import type { SandboxSpec } from '../../domain/ports/sandbox.ts';
import { createEgressDoor, type EcosystemSource, type EgressDoorOptions } from '../../egress/index.ts';
import type { Authorities } from '../local/authorities.ts';
import type { SandboxdInstance } from './pod-state.ts';
import type { PodTracker } from './pod-tracker.ts';
import type { Reach } from './reach.ts';

/** A client certificate is for one dial. */
const identityMs = 5 * 60_000;
/** sandboxd may be known to run before it listens, and a NetworkPolicy that lets the worker in takes hold late. */
export const dialWithinMs = 30_000;

/** A pod whose sandboxd is known. */
export interface PodParts {
  readonly name: string;
  readonly uid: string;
  readonly instance: SandboxdInstance;
  readonly pinned: PinnedCertificate;
  readonly tracker: PodTracker;
}

/** The channel to a pod, with the way out that it serves. */
export interface PodLink extends PodParts {
  readonly channel: Channel;
  readonly door: ReturnType<typeof createEgressDoor>;
  readonly listeners: Set<(decision: EgressDecision) => void>;
}

export interface DialParts {
  readonly clock: Clock;
  readonly authority: ChannelAuthority;
  readonly reach: Reach;
  readonly port: number;
  readonly ecosystems: EcosystemSource;
  readonly authorities: Authorities;
  readonly egress?: Pick<EgressDoorOptions, 'refusedRanges' | 'limits' | 'resolve' | 'proxyEnv' | 'trusted'>;
}

/**
 * Opens the channel to sandboxd in a pod; tries again while nobody answers there yet.
 * @throws BerthError `SANDBOX_UNREACHABLE`, `SANDBOX_CERTIFICATE`, `SANDBOX_TAKEN_OVER`; the signal's reason
 */
export async function dialPod(
  parts: DialParts,
  spec: SandboxSpec,
  pod: PodParts,
  signal: AbortSignal,
  onRunnerUp?: () => void,
): Promise<PodLink> {
  const { clock, authority, port } = parts;
  const listeners = new Set<(decision: EgressDecision) => void>();
  const door = createEgressDoor({
    ...parts.egress,
    policy: spec.egress,
    authority: parts.authorities(spec.id),
    ...(spec.credentials === undefined ? {} : { credentials: spec.credentials }),
    ...(spec.egressAccount === undefined ? {} : { account: spec.egressAccount }),
    ecosystems: parts.ecosystems,
    clock,
    onDecision: (decision) => {
      for (const listener of listeners) listener(decision);
    },
  });
  const connect = (stop: AbortSignal): Promise<Duplex> =>
    parts.reach({ name: pod.name, address: pod.instance.address, port }, stop);
  const startedMs = clock.monotonicMs();
  for (;;) {
    try {
      const channel = await connectChannel({
        sandboxId: spec.id,
        epoch: spec.epoch,
        clock,
        signal,
        onEgressStream: (stream: Duplex) => door.accept(stream),
        onNotice: (notice) => {
          if (notice.t === 'runner-up') onRunnerUp?.();
        },
        dial: (stop) =>
          dialTls({
            connect,
            pinned: pod.pinned,
            identity: authority.clientIdentity({
              podUid: pod.uid,
              epoch: spec.epoch,
              lifetimeMs: identityMs,
            }),
            signal: stop,
          }),
      });
      void channel.closed.then(() => door.close());
      return { ...pod, channel, door, listeners };
    } catch (error) {
      const mayCome = error instanceof BerthError && error.code === 'SANDBOX_UNREACHABLE';
      if (signal.aborted || !mayCome || clock.monotonicMs() - startedMs > dialWithinMs) {
        door.close();
        signal.throwIfAborted();
        throw error;
      }
      await clock.sleep(100, signal);
    }
  }
}
