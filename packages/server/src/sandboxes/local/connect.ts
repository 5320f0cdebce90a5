import type { Duplex } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { connectChannel } from '../../channel/connect.ts';
import type { EgressDecision } from '../../domain/egress.ts';
import { BerthError } from '../../domain/errors/index.ts';
import type { Clock } from '../../domain/ports/clock.ts';
import type { DriverName, SandboxNotice, SandboxRef, SandboxSpec } from '../../domain/ports/sandbox.ts';
import { createEgressDoor, type EcosystemSource, type EgressDoorOptions } from '../../egress/index.ts';
import { ChannelSandbox } from '../channel-sandbox.ts';
import type { Authorities } from './authorities.ts';
import { type Place, type PlaceRecord, workerSocket } from './place.ts';
import { isAlive, type ProcessName } from './processes.ts';
import { readLog } from './start-sandboxd.ts';

/** What every driver of this machine needs to reach a sandbox and to let its traffic out. */
export interface LocalLink {
  readonly driver: DriverName;
  readonly clock: Clock;
  readonly ecosystems: EcosystemSource;
  readonly authorities: Authorities;
  /** Settings of the way out that are not the policy's. */
  readonly egress?: Pick<EgressDoorOptions, 'refusedRanges' | 'limits' | 'resolve' | 'proxyEnv' | 'trusted'>;
  /** Ends everything of the sandbox and removes what it left; idempotent. */
  readonly destroy: (id: string) => Promise<void>;
  /** Told each time the inside came up, also at once when it is up already. */
  readonly onRunnerUp?: () => void;
  readonly onNotice?: (listener: (notice: SandboxNotice) => void) => void;
}

/** From the start of sandboxd to a runner that answers; 80 ms in bubblewrap, 400 ms in a container are usual. */
const runnerUpMs = 30_000;

/**
 * Connects to the sandboxd of a place.
 * @param waitForRunner for a new sandbox: until its inside is up; `SANDBOX_UNAVAILABLE` when it does not come
 */
export async function connectToPlace(
  link: LocalLink,
  place: Place,
  record: PlaceRecord,
  spec: SandboxSpec,
  signal: AbortSignal,
  waitForRunner: boolean,
): Promise<ChannelSandbox> {
  const listeners = new Set<(decision: EgressDecision) => void>();
  const door = createEgressDoor({
    ...link.egress,
    policy: spec.egress,
    authority: link.authorities(spec.id),
    ...(spec.credentials === undefined ? {} : { credentials: spec.credentials }),
    ...(spec.egressAccount === undefined ? {} : { account: spec.egressAccount }),
    ecosystems: link.ecosystems,
    clock: link.clock,
    onDecision: (decision) => {
      for (const listener of listeners) listener(decision);
    },
  });
  const up = Promise.withResolvers<void>();
  const channel = await connectChannel({
    socketPath: workerSocket(record),
    sandboxId: spec.id,
    epoch: spec.epoch,
    clock: link.clock,
    signal,
    onEgressStream: (stream: Duplex) => door.accept(stream),
    onNotice: (notice) => {
      if (notice.t !== 'runner-up') return;
      up.resolve();
      link.onRunnerUp?.();
    },
  });
  void channel.closed.then(() => door.close());
  if (waitForRunner)
    await runnerUp(up.promise, place, signal).catch((error: unknown) => {
      channel.close('the runner did not start');
      throw error;
    });
  return new ChannelSandbox({
    channel,
    ref: { id: spec.id, driver: link.driver, bootId: channel.hello.bootId, address: place.directory },
    diskLimitBytes: spec.limits.diskBytes,
    destroy: () => link.destroy(spec.id),
    setEgress: (policy) => door.setPolicy(policy),
    onEgress: (listener) => listeners.add(listener),
    ...(link.onNotice === undefined ? {} : { onNotice: link.onNotice }),
  });
}

/** The sandbox of an earlier worker, or null when it is gone or was started again. */
export async function attachToPlace(
  link: LocalLink,
  place: Place,
  ref: SandboxRef,
  spec: SandboxSpec,
  signal: AbortSignal,
): Promise<ChannelSandbox | null> {
  signal.throwIfAborted();
  const record = place.read();
  if (
    record === null ||
    record.sandboxd === null ||
    record.bootId !== ref.bootId ||
    !isAlive(record.sandboxd)
  )
    return null;
  try {
    return await connectToPlace(link, place, record, spec, signal, false);
  } catch (error) {
    // It may have ended between the look and the call; a killed process takes a moment to be gone.
    const unreachable = error instanceof BerthError && error.code === 'SANDBOX_UNREACHABLE';
    if (unreachable && (await endsSoon(record.sandboxd))) return null;
    throw error;
  }
}

/**
 * Gives a sandbox that was made ahead to a run. sandboxd keeps the environment, so the next owner need not know it, and
 * refuses one that was used or given before.
 */
export async function assignPlace(
  link: LocalLink,
  place: Place,
  idle: SandboxRef,
  spec: SandboxSpec,
  signal: AbortSignal,
): Promise<ChannelSandbox | null> {
  const sandbox = await attachToPlace(link, place, idle, { ...spec, id: idle.id }, signal);
  if (sandbox === null) return null;
  try {
    const record = place.read();
    if (record === null) throw new BerthError('SANDBOX_LOST');
    // First, so that whoever tidies up knows whose it is; for him it is new-born now.
    place.write({ ...record, runId: spec.runId, createdMs: link.clock.nowMs() });
    await sandbox.channel.assign(spec.env);
    signal.throwIfAborted();
    return sandbox;
  } catch (error) {
    await sandbox.detach();
    if (error instanceof BerthError && error.code === 'EXEC_REFUSED') return null;
    throw error;
  }
}

async function runnerUp(up: Promise<void>, place: Place, signal: AbortSignal): Promise<void> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => {
    const said = readLog(place.path('sandboxd.log')).slice(-2000).trim();
    late.reject(
      new BerthError('SANDBOX_UNAVAILABLE', 'The inside of the sandbox did not start.', {
        details: { said },
      }),
    );
  }, runnerUpMs);
  const stop = (): void => late.reject(signal.reason);
  signal.addEventListener('abort', stop, { once: true });
  try {
    await Promise.race([up, late.promise]);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', stop);
  }
}

const endingMs = 1_000;

async function endsSoon(name: ProcessName): Promise<boolean> {
  for (let leftMs = endingMs; leftMs > 0; leftMs -= 20) {
    if (!isAlive(name)) return true;
    await sleep(20);
  }
  return false;
}
