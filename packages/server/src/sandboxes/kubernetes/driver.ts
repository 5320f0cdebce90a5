import { setTimeout as sleep } from 'node:timers/promises';
import type { V1Pod } from './api-types.ts';
import type { ChannelAuthority } from '../../channel/authority.ts';
import { durationMs } from '../../domain/config/text.ts';
import type { DoctorCheck } from '../../domain/doctor.ts';
import { BerthError } from '../../domain/errors/index.ts';
import type { Clock } from '../../domain/ports/clock.ts';
import type {
  ProvedProfile,
  Sandbox,
  SandboxDriver,
  SandboxRef,
  SandboxSpec,
} from '../../domain/ports/sandbox.ts';
import {
  createEcosystems,
  fetchText,
  registryEnv,
  type EcosystemSource,
  type EgressDoorOptions,
} from '../../egress/index.ts';
import type { PinnedCertificate } from '../../channel/sandboxd-certificate.ts';
import { keeperOf } from '../pool/member.ts';
import { readCertificate } from './certificate.ts';
import { Claims, type Listed } from './claims.ts';
import { podClient, type PodClient } from './client.ts';
import type { ApiConnection } from './connection.ts';
import { installationSelector, podName, readLabels } from './labels.ts';
import { PodSandbox } from './pod-sandbox.ts';
import { profileOf, sandboxPod, type ToolsDelivery } from './pod-spec.ts';
import { type Authorities, sandboxAuthorities } from '../local/authorities.ts';
import type { SandboxdInstance } from './pod-state.ts';
import { imagesOf, isGoing, isStuck, splitAddress, timeOf, usable } from './pod-facts.ts';
import { explainLoss, explainWithinMs } from './explain-loss.ts';
import { dialPod, dialWithinMs, type DialParts, type PodLink } from './dial.ts';
import { trackPod, type PodTracker } from './pod-tracker.ts';
import { probeCluster } from './probe.ts';
import { proveCluster } from './prove.ts';
import { deliverTrust } from './trust.ts';
import { aborted, endOf, refuseWhatIsNotSupported } from './refusals.ts';
import { sandboxdProgram, workProgram, type GateTargets } from './programs.ts';
import type { Reach } from './reach.ts';
import { chooseToolsDelivery } from './tools-probe.ts';
import { podWatch, type PodWatch } from './watch.ts';

export interface KubernetesOptions {
  readonly connection: ApiConnection;
  /** Where sandboxes live; one of their own, with Pod Security `restricted`. */
  readonly namespace: string;
  /** Whose pods these are, where several installations share a namespace. */
  readonly installation: string;
  /** Holds the channel key; its private half never leaves the control namespace. */
  readonly authority: ChannelAuthority;
  /** Image whose root is `/opt/berth`: Node, sandboxd, the runner, ripgrep. */
  readonly toolsImage: string;
  /** For sandboxes whose profile names none. */
  readonly defaultImage: string;
  /** How the tools get in; `detect` tries an image volume once. */
  readonly tools: ToolsDelivery | 'detect';
  readonly reach: Reach;
  /** The worker comes in by a port-forward: such connections arrive from inside the pod. */
  readonly isOutside: boolean;
  /** What a sandbox must not reach; empty: nothing is tried. */
  readonly gate: GateTargets;
  readonly clock: Clock;
  readonly port?: number;
  readonly userNamespace?: boolean;
  readonly ecosystems?: EcosystemSource;
  /** As `sandboxAuthorities` takes it. */
  readonly authoritySeed?: Uint8Array;
  readonly egress?: Pick<EgressDoorOptions, 'refusedRanges' | 'limits' | 'resolve' | 'proxyEnv' | 'trusted'>;
  readonly idleMinutes?: number;
  /** How long one call to the API server is tried again. Tests shorten it. */
  readonly patienceMs?: number;
}

const defaultPort = 7_443;
const defaultIdleMinutes = 24 * 60;
/** SIGTERM, then the end: whoever deletes a sandbox does not want anything of it. */
const graceSeconds = 1;
/** One that runs already has nothing more to wait for. */
const attached = { startWithinMs: dialWithinMs, scheduleWithinMs: dialWithinMs } as const;

/** Sandboxes that are pods: two containers, found by their certificate in the log, spoken to over TLS. */
export class KubernetesDriver implements SandboxDriver {
  readonly name = 'kubernetes';
  readonly #options: KubernetesOptions;
  readonly #client: PodClient;
  readonly #watch: PodWatch;
  readonly #ecosystems: EcosystemSource;
  readonly #authorities: Authorities;
  /** By sandbox, of those that this process is connected to. */
  readonly #architectures = new Map<string, string>();
  readonly #claims: Claims;
  #tools: Promise<ToolsDelivery> | null = null;

  constructor(options: KubernetesOptions) {
    this.#options = options;
    this.#client = podClient(options);
    this.#ecosystems = options.ecosystems ?? createEcosystems({ fetchText });
    this.#authorities = sandboxAuthorities(options.authoritySeed, options.clock);
    this.#claims = new Claims(options.clock);
    this.#watch = podWatch({
      client: this.#client,
      selector: installationSelector(options.installation),
      clock: options.clock,
    });
  }

  probe(signal: AbortSignal = new AbortController().signal): ReturnType<SandboxDriver['probe']> {
    return probeCluster(
      { ...this.#options, client: this.#client, delivery: () => this.#delivery(signal) },
      signal,
    );
  }

  prove(profiles: readonly ProvedProfile[], signal: AbortSignal): Promise<readonly DoctorCheck[]> {
    return proveCluster({ ...this.#options, client: this.#client }, profiles, signal);
  }

  async create(spec: SandboxSpec, signal: AbortSignal): Promise<Sandbox> {
    signal.throwIfAborted();
    this.assertSuits(spec.profile);
    const pod = await this.#plan(spec, signal);
    const name = pod.metadata!.name!;
    const tracker = trackPod({
      watch: this.#watch,
      clock: this.#options.clock,
      name,
      startWithinMs: durationMs(profileOf(spec).startWithin),
      scheduleWithinMs: durationMs(profileOf(spec).scheduleWithin),
    });
    let uid: string | undefined;
    try {
      const made = await this.#client.create(pod, signal);
      uid = made.metadata!.uid!;
      tracker.is(uid);
      return await this.#connectNew(spec, name, uid, tracker, signal);
    } catch (error) {
      tracker.close();
      // Without a uid the answer to the create may have been lost: by name, then. Not awaited for long: the caller was
      // cancelled, maybe, and the reconciler finds what stays.
      const removed = this.#client.delete(
        name,
        { graceSeconds: 0, ...(uid === undefined ? {} : { uid }) },
        AbortSignal.timeout(15_000),
      );
      if (!signal.aborted) await removed.catch(() => undefined);
      else removed.catch(() => undefined);
      signal.throwIfAborted();
      if (error instanceof BerthError) throw error;
      throw new BerthError('SANDBOX_UNAVAILABLE', `The sandbox could not be made: ${String(error)}`, {
        cause: error,
      });
    }
  }

  async attach(ref: SandboxRef, spec: SandboxSpec, signal: AbortSignal): Promise<Sandbox | null> {
    signal.throwIfAborted();
    const [uid, containerId] = splitAddress(ref.address);
    const found = await this.#client.get(podName(ref.id), signal);
    const instance = found === null ? null : usable(found, uid);
    if (found === null || instance === null || instance.containerId !== containerId) return null;
    // sandboxd keeps the environment of one that was given to its run; commands must not bring it again.
    const env = keeperOf(readLabels(found)?.runId ?? '') === null ? spec.env : {};
    const link = await this.#dial(ref, { ...spec, env }, instance, null, signal);
    return link === null ? null : this.#sandbox({ ...spec, env }, link);
  }

  /**
   * Nobody may change the pod's labels: they go on naming the pool. Whose it is lies with the worker that keeps it, and in
   * the log of its run from then on.
   */
  async assign(idle: SandboxRef, spec: SandboxSpec, signal: AbortSignal): Promise<Sandbox | null> {
    signal.throwIfAborted();
    const own = { ...spec, id: idle.id, env: {} };
    const [uid, containerId] = splitAddress(idle.address);
    const seen = this.#watch.get(podName(idle.id)) ?? (await this.#client.get(podName(idle.id), signal));
    const instance = seen === null ? null : usable(seen, uid);
    if (seen === null || instance === null || instance.containerId !== containerId) return null;
    if (isGoing(seen) || keeperOf(readLabels(seen)?.runId ?? '') === null) return null;
    const link = await this.#dial(idle, own, instance, this.#claims.pinned(idle), signal);
    if (link === null) return null;
    const sandbox = this.#sandbox(own, link);
    try {
      await link.channel.assign(spec.env);
      this.#claims.add(idle.id, spec.runId);
      signal.throwIfAborted();
      await deliverTrust(sandbox, this.#authorities(idle.id), signal);
      return sandbox;
    } catch (error) {
      await sandbox.detach();
      if (error instanceof BerthError && error.code === 'EXEC_REFUSED') return null;
      throw error;
    }
  }

  /** The channel to a sandbox that was made earlier; null: it is gone, or was started again. */
  async #dial(
    ref: SandboxRef,
    spec: SandboxSpec,
    instance: SandboxdInstance,
    known: PinnedCertificate | null,
    signal: AbortSignal,
  ): Promise<PodLink | null> {
    const name = podName(ref.id);
    const [uid] = splitAddress(ref.address);
    const tracker = trackPod({ watch: this.#watch, clock: this.#options.clock, name, ...attached });
    tracker.is(uid);
    tracker.settle(instance);
    try {
      const pinned =
        known ??
        (await readCertificate({
          client: this.#client,
          clock: this.#options.clock,
          podName: name,
          podUid: uid,
          signal: AbortSignal.any([signal, AbortSignal.timeout(dialWithinMs)]),
        }));
      const link = await dialPod(this.#dialling, spec, { name, uid, instance, pinned, tracker }, signal);
      if (link.channel.hello.bootId === ref.bootId) return link;
      link.channel.close('another sandboxd answered');
      tracker.close();
      return null;
    } catch (error) {
      tracker.close();
      signal.throwIfAborted();
      const now = await this.#client.get(name, signal);
      const same = now === null ? null : usable(now, uid);
      if (same === null || same.containerId !== instance.containerId) return null;
      throw error;
    }
  }

  async list(): ReturnType<SandboxDriver['list']> {
    const nowMs = this.#options.clock.nowMs();
    const listing = this.#claims.beginListing();
    const found = new Map<string, Listed>();
    const mine = installationSelector(this.#options.installation);
    for await (const pods of this.#client.pages(mine, AbortSignal.timeout(60_000)))
      for (const pod of pods) {
        const facts = readLabels(pod);
        if (facts === null) continue;
        const createdMs = timeOf(pod.metadata?.creationTimestamp) ?? nowMs;
        const told = listing.tell({ ...facts, createdMs });
        // One that goes is no orphan yet; one that does not get away is told of until it does.
        if (!isGoing(pod) || isStuck(pod, nowMs)) found.set(facts.id, told);
      }
    listing.end();
    return [...found.values()];
  }

  assertSuits(profile: SandboxSpec['profile']): void {
    refuseWhatIsNotSupported(profile);
  }

  /** The images that the node runs, and the processor as sandboxd tells: nothing of it is from the container `work`. */
  async fingerprint({ id }: Pick<SandboxSpec, 'id'>): Promise<string | null> {
    const architecture = this.#architectures.get(id);
    const pod = await this.#client.get(podName(id), AbortSignal.timeout(30_000));
    const images = pod === null ? null : imagesOf(pod);
    return images === null || architecture === undefined ? null : `${images} ${architecture}`;
  }

  async destroy(id: string): Promise<void> {
    this.#architectures.delete(id);
    this.#claims.forget(id);
    const signal = AbortSignal.timeout(30_000);
    const name = podName(id);
    const pod = await this.#client.delete(name, { graceSeconds }, signal);
    const uid = pod?.metadata?.uid;
    // Its node is not there to end it: the object goes, and with it the quota it holds. What may still run on that node
    // has no worker, and so no way out.
    if (pod !== null && uid !== undefined && isStuck(pod, this.#options.clock.nowMs()))
      await this.#client.delete(name, { graceSeconds: 0, uid }, signal);
  }

  get #dialling(): DialParts {
    return {
      ...this.#options,
      port: this.#options.port ?? defaultPort,
      ecosystems: this.#ecosystems,
      authorities: this.#authorities,
    };
  }

  /** Ends the watch. Sandboxes stay. */
  async close(): Promise<void> {
    await this.#watch.close();
  }

  #delivery(signal: AbortSignal): Promise<ToolsDelivery> {
    const { tools } = this.#options;
    if (tools !== 'detect') return Promise.resolve(tools);
    this.#tools ??= chooseToolsDelivery({ ...this.#options, client: this.#client }, signal).catch(
      (error: unknown) => {
        this.#tools = null;
        throw error;
      },
    );
    return this.#tools;
  }

  async #plan(spec: SandboxSpec, signal: AbortSignal): Promise<V1Pod> {
    const [tools, registries] = await Promise.all([this.#delivery(signal), registryEnv(this.#ecosystems)]);
    const port = this.#options.port ?? defaultPort;
    return sandboxPod({
      spec,
      installation: this.#options.installation,
      namespace: this.#options.namespace,
      toolsImage: this.#options.toolsImage,
      defaultImage: this.#options.defaultImage,
      tools,
      port,
      userNamespace: this.#options.userNamespace ?? false,
      sandboxd: sandboxdProgram({
        spec,
        port,
        channelPublicKeyPem: this.#options.authority.publicKeyPem,
        dropLocal: !this.#options.isOutside,
        gate: this.#options.gate,
        idleMinutes: this.#options.idleMinutes ?? defaultIdleMinutes,
      }),
      work: workProgram({ spec, registries }),
    });
  }

  async #connectNew(
    spec: SandboxSpec,
    name: string,
    uid: string,
    tracker: PodTracker,
    signal: AbortSignal,
  ): Promise<Sandbox> {
    const failed = new AbortController();
    tracker.trouble.catch((error: unknown) => failed.abort(error));
    const either = AbortSignal.any([signal, failed.signal]);
    const instance = await tracker.sandboxd(either);
    const pinned = await readCertificate({
      client: this.#client,
      clock: this.#options.clock,
      podName: name,
      podUid: uid,
      signal: either,
    });
    const up = Promise.withResolvers<void>();
    const link = await dialPod(this.#dialling, spec, { name, uid, instance, pinned, tracker }, either, () =>
      up.resolve(),
    );
    try {
      await Promise.race([up.promise, tracker.trouble, endOf(link.channel), aborted(either)]);
    } catch (error) {
      link.channel.close('the runner did not start');
      throw error;
    }
    tracker.settle(instance);
    const sandbox = this.#sandbox(spec, link);
    // One for the pool stays untouched until its run comes.
    if (keeperOf(spec.runId) === null) await deliverTrust(sandbox, this.#authorities(spec.id), either);
    else this.#claims.keep(sandbox.ref, pinned);
    return sandbox;
  }

  #sandbox(spec: SandboxSpec, link: PodLink): Sandbox {
    const { channel, door, listeners, tracker, name, uid, instance } = link;
    // The cluster may know it before the channel does: a node that is gone sends no FIN.
    void tracker.over.then((why) => channel.close(why.sentence));
    const { architecture } = channel.hello;
    if (architecture !== undefined) this.#architectures.set(spec.id, architecture);
    void channel.closed
      .then(() => sleep(explainWithinMs, undefined, { ref: false }))
      .then(() => tracker.close());
    return new PodSandbox({
      channel,
      ref: {
        id: spec.id,
        driver: 'kubernetes',
        bootId: channel.hello.bootId,
        address: `${uid}/${instance.containerId}`,
      },
      diskLimitBytes: spec.limits.diskBytes,
      env: spec.env,
      tracker,
      destroy: () => this.destroy(spec.id),
      setEgress: (policy) => door.setPolicy(policy),
      onEgress: (listener) => listeners.add(listener),
      explainLoss: (known) =>
        explainLoss({
          known,
          name,
          uid,
          instance,
          tracker,
          client: this.#client,
          clock: this.#options.clock,
        }),
    });
  }
}
