import type { V1Pod } from './api-types.ts';
import type { Clock } from '../../domain/ports/clock.ts';
import { ApiFailure } from './api-failure.ts';
import type { PodClient } from './client.ts';

/** What is told of a pod that is followed. */
export type PodNews =
  | { readonly kind: 'seen'; readonly pod: V1Pod }
  /** Deleted, or its labels were changed; `pod` is what was last known. */
  | { readonly kind: 'gone'; readonly pod: V1Pod };

export interface PodWatch {
  /**
   * Tells of the pod of this name from now on, beginning with what is known of it. The cluster is watched while
   * somebody follows.
   * @returns stops it
   */
  follow(name: string, listener: (news: PodNews) => void): () => void;
  /** What is known of a pod, or null. */
  get(name: string): V1Pod | null;
  /** Ends the watch; followers hear nothing any more. */
  close(): Promise<void>;
}

export interface PodWatchOptions {
  readonly client: Pick<PodClient, 'list' | 'watch'>;
  readonly selector: string;
  readonly clock: Clock;
}

/** First and longest wait before a watch that broke is opened again. */
const firstWaitMs = 100;
const longestWaitMs = 5_000;

/**
 * Keeps a picture of the installation's pods: one list, then a watch from its resourceVersion; a watch that ends is
 * opened where it ended, one that is too old begins with a list. While the API server is away the picture stays as it was:
 * nobody is told that a pod is gone before the cluster says so.
 */
export function podWatch(options: PodWatchOptions): PodWatch {
  const pods = new Map<string, V1Pod>();
  const followers = new Map<string, Set<(news: PodNews) => void>>();
  let running: { readonly stop: AbortController; readonly done: Promise<void> } | null = null;

  const tell = (name: string, news: PodNews): void => {
    for (const listener of followers.get(name) ?? []) listener(news);
  };
  const see = (pod: V1Pod): void => {
    const name = pod.metadata?.name;
    if (name === undefined) return;
    const before = pods.get(name);
    // A new pod of an old name: the old one is gone, though nobody saw it go.
    if (before !== undefined && before.metadata?.uid !== pod.metadata?.uid)
      tell(name, { kind: 'gone', pod: before });
    pods.set(name, pod);
    tell(name, { kind: 'seen', pod });
  };
  const miss = (pod: V1Pod): void => {
    const name = pod.metadata?.name;
    if (name === undefined) return;
    pods.delete(name);
    tell(name, { kind: 'gone', pod });
  };
  const relist = async (signal: AbortSignal): Promise<string> => {
    const { resourceVersion, pods: listed } = await options.client.list(options.selector, signal);
    const names = new Set(listed.map((pod) => pod.metadata?.name));
    for (const [name, pod] of pods) if (!names.has(name)) miss(pod);
    for (const pod of listed) see(pod);
    return resourceVersion;
  };

  const run = async (signal: AbortSignal): Promise<void> => {
    let version: string | null = null;
    let waitMs = firstWaitMs;
    while (!signal.aborted) {
      try {
        version ??= await relist(signal);
        for await (const event of options.client.watch(options.selector, version, signal)) {
          waitMs = firstWaitMs;
          version = event.object.metadata?.resourceVersion ?? version;
          if (event.type === 'ADDED' || event.type === 'MODIFIED') see(event.object);
          else if (event.type === 'DELETED') miss(event.object);
        }
      } catch (error) {
        if (signal.aborted) return;
        // Anything but a broken connection may mean that the version is no good: a list always is.
        if (error instanceof ApiFailure) version = null;
      }
      // An orderly end comes every few minutes; a server that ends each watch at once is not asked without end.
      await options.clock.sleep(waitMs, signal).catch(() => undefined);
      waitMs = Math.min(waitMs * 2, longestWaitMs);
    }
  };

  const start = (): void => {
    if (running !== null) return;
    const stop = new AbortController();
    running = { stop, done: run(stop.signal) };
  };
  const end = async (): Promise<void> => {
    const was = running;
    running = null;
    was?.stop.abort();
    pods.clear();
    await was?.done;
  };

  return {
    follow(name, listener) {
      const listeners = followers.get(name) ?? new Set();
      followers.set(name, listeners.add(listener));
      const known = pods.get(name);
      if (known !== undefined) listener({ kind: 'seen', pod: known });
      start();
      return () => {
        listeners.delete(listener);
        if (listeners.size === 0 && followers.get(name) === listeners) followers.delete(name);
        if (followers.size === 0) void end();
      };
    },
    get: (name) => pods.get(name) ?? null,
    async close() {
      followers.clear();
      await end();
    },
  };
}
