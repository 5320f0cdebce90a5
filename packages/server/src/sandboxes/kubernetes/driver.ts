import { setTimeout as sleep } from 'node:timers/promises';
import type { V1Pod } from './api-types.ts';
import type { ChannelAuthority } from '../../channel/authority.ts';
import type { Channel } from '../../channel/channel.ts';
import { durationMs } from '../../domain/config/text.ts';
import { BerthError } from '../../domain/errors/index.ts';
import type { Clock } from '../../domain/ports/clock.ts';
import type { Sandbox, SandboxDriver, SandboxRef, SandboxSpec } from '../../domain/ports/sandbox.ts';
import {
  createEcosystems,
  fetchText,
  registryEnv,
  type EcosystemSource,
  type EgressDoorOptions,
} from '../../egress/index.ts';
import type { Loss } from '../channel-sandbox.ts';
import { readCertificate } from './certificate.ts';
import { podClient, type PodClient } from './client.ts';
import type { ApiConnection } from './connection.ts';
import { installationSelector, podName, readLabels } from './labels.ts';
import { PodSandbox } from './pod-sandbox.ts';
import { profileOf, sandboxPod, type ToolsDelivery } from './pod-spec.ts';
import { type Authorities, sandboxAuthorities } from '../local/authorities.ts';
import type { SandboxdInstance } from './pod-state.ts';
import { imagesOf, isGoing, isStuck, lossIn, splitAddress, timeOf, usable } from './pod-facts.ts';
import { dialPod, dialWithinMs, type DialParts, type PodLink } from './dial.ts';
import { trackPod, type PodTracker } from './pod-tracker.ts';
import { probeCluster } from './probe.ts';
import { deliverTrust } from './trust.ts';
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
/** For the status of a pod to tell what a broken channel cannot. */
const explainWithinMs = 10_000;

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
  #tools: Promise<ToolsDelivery> | null = null;

  constructor(options: KubernetesOptions) {
    this.#options = options;
    this.#client = podClient(options);
    this.#ecosystems = options.ecosystems ?? createEcosystems({ fetchText });
    this.#authorities = sandboxAuthorities(options.authoritySeed, options.clock);
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

  async create(spec: SandboxSpec, signal: AbortSignal): Promise<Sandbox> {
    signal.throwIfAborted();
    refuseWhatIsNotSupported(spec);
    const pod = await this.#plan(spec, signal);
    const name = pod.metadata!.name!;
    const tracker = trackPod({
      watch: this.#watch,
      clock: this.#options.clock,
      name,
      startWithinMs: durationMs(profileOf(spec).startWithin),
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
    const name = podName(ref.id);
    const [uid, containerId] = splitAddress(ref.address);
    const found = await this.#client.get(name, signal);
    const instance = found === null ? null : usable(found, uid);
    if (instance === null || instance.containerId !== containerId) return null;
    const tracker = trackPod({
      watch: this.#watch,
      clock: this.#options.clock,
      name,
      startWithinMs: dialWithinMs,
    });
    tracker.is(uid);
    tracker.settle(instance);
    try {
      const pinned = await readCertificate({
        client: this.#client,
        clock: this.#options.clock,
        podName: name,
        podUid: uid,
        signal: AbortSignal.any([signal, AbortSignal.timeout(dialWithinMs)]),
      });
      const link = await dialPod(this.#dialling, spec, { name, uid, instance, pinned, tracker }, signal);
      if (link.channel.hello.bootId === ref.bootId) return this.#sandbox(spec, link);
      link.channel.close('another sandboxd answered');
      tracker.close();
      return null;
    } catch (error) {
      tracker.close();
      signal.throwIfAborted();
      const now = await this.#client.get(name, signal);
      const same = now === null ? null : usable(now, uid);
      if (same === null || same.containerId !== containerId) return null;
      throw error;
    }
  }

  async list(): ReturnType<SandboxDriver['list']> {
    const { pods } = await this.#client.list(
      installationSelector(this.#options.installation),
      AbortSignal.timeout(60_000),
    );
    const nowMs = this.#options.clock.nowMs();
    return pods.flatMap((pod) => {
      const facts = readLabels(pod);
      // One that goes is no orphan yet; one that does not get away is told of until it does.
      if (facts === null || (isGoing(pod) && !isStuck(pod, nowMs))) return [];
      return [{ ...facts, createdMs: timeOf(pod.metadata?.creationTimestamp) ?? nowMs }];
    });
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
    await deliverTrust(sandbox, this.#authorities(spec.id), either);
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
      explainLoss: (known) => this.#explain(known, name, uid, instance, tracker),
    });
  }

  /** What the cluster says of a sandbox whose channel ended. */
  async #explain(
    known: Loss,
    name: string,
    uid: string,
    instance: SandboxdInstance,
    tracker: PodTracker,
  ): Promise<Loss> {
    const late = new AbortController();
    const told = await Promise.race([
      tracker.over,
      this.#options.clock.sleep(explainWithinMs / 2, late.signal).then(
        () => null,
        () => null,
      ),
    ]);
    late.abort();
    if (told !== null) return told;
    const pod = await this.#client.get(name, AbortSignal.timeout(explainWithinMs / 2));
    if (pod === null || pod.metadata?.uid !== uid)
      return { code: 'SANDBOX_DELETED', sentence: 'The pod of the sandbox was deleted.' };
    return lossIn(pod, instance) ?? known;
  }
}

async function endOf(channel: Channel): Promise<never> {
  const { reason } = await channel.closed;
  throw new BerthError('SANDBOX_LOST', `The channel to the new sandbox ended: ${reason}.`);
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason);
    else signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
}

function refuseWhatIsNotSupported({ profile }: SandboxSpec): void {
  if (profile === null) return;
  const wanted = [
    ...(profile.runtime === undefined ? [] : ['a `runtime` (on Kubernetes it is `kubernetes.runtimeClass`)']),
    ...(profile.services.length === 0 ? [] : ['services']),
  ];
  if (wanted.length === 0) return;
  throw new BerthError(
    'SANDBOX_UNSUPPORTED',
    `The profile ${profile.name} asks for ${wanted.join(' and ')}, which the driver kubernetes does not have.`,
  );
}
