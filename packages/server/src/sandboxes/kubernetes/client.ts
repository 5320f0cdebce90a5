import { StringDecoder } from 'node:string_decoder';
import type { V1Pod, V1PodList } from './api-types.ts';
import { BerthError } from '../../domain/errors/index.ts';
import type { Clock } from '../../domain/ports/clock.ts';
import { ApiFailure, admissionError, clusterError, coldMs, isTransient, mayBeCold } from './api-failure.ts';
import type { ApiAnswer, ApiConnection, ApiRequest } from './connection.ts';

/** What a watch tells. The object of `ERROR` is a Status, that of `BOOKMARK` has a resourceVersion only. */
export interface WatchEvent {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK' | 'ERROR';
  readonly object: V1Pod & { readonly code?: number };
}

export interface DeleteRequest {
  readonly graceSeconds: number;
  /** Only this very pod, not one that has its name since. */
  readonly uid?: string;
}

/** The verbs the driver needs in the sandbox namespace, and no others (`docs/kubernetes.md`). */
export interface PodClient {
  readonly namespace: string;
  /** @throws BerthError with the reason of the refusal */
  create(pod: V1Pod, signal: AbortSignal): Promise<V1Pod>;
  /** Asks what would become of a create; nothing is stored. @throws BerthError as `create` does */
  tryCreate(pod: V1Pod, signal: AbortSignal): Promise<void>;
  /** Null: there is none. */
  get(name: string, signal: AbortSignal): Promise<V1Pod | null>;
  list(
    selector: string,
    signal: AbortSignal,
  ): Promise<{ readonly resourceVersion: string; readonly pods: V1Pod[] }>;
  /**
   * The same, page by page and names, labels and times only: a tenth of a pod. One that is there all the while is in one of
   * the pages; a list that changes too much meanwhile begins again, and tells some twice.
   */
  pages(selector: string, signal: AbortSignal): AsyncGenerator<readonly Pick<V1Pod, 'metadata'>[]>;
  /** Yields until the server or the signal ends it; nothing is tried again. @throws ApiFailure, or the connection's error */
  watch(selector: string, resourceVersion: string, signal: AbortSignal): AsyncGenerator<WatchEvent>;
  /** Follows the log of a container. Null: it has none yet, or any more. */
  followLog(name: string, container: string, signal: AbortSignal): Promise<AsyncGenerator<string> | null>;
  /** Null: it is gone already, or another pod has its name. */
  delete(name: string, request: DeleteRequest, signal: AbortSignal): Promise<V1Pod | null>;
  /** Whether the account may do it; every account may ask. */
  mayI(verb: string, resource: string, subresource: string | null, signal: AbortSignal): Promise<boolean>;
  /** What the clock of the API server says. */
  serverTimeMs(signal: AbortSignal): Promise<number | null>;
}

/** An answer that has not begun by then will not come. A streamed one is heard of at least once a minute (bookmarks). */
const answerMs = 20_000;
const streamSilentMs = 150_000;
/** The server ends a watch after this long, so that watches move to other API servers now and then. */
const watchSeconds = 300;
/** First and longest wait between two tries, and for how long all tries together may go on: an API server restarts in 30 s. */
const firstWaitMs = 100;
const longestWaitMs = 3_000;
const patienceMs = 60_000;
/** An answer that is larger is not one of ours: a pod is 12 KiB. */
const largestAnswer = 64 * 1024 * 1024;
const largestRefusal = 64 * 1024;
const page = 500;
/** A list that expires between its pages (after 5 min by default) begins again at most so often. */
const mostBeginnings = 5;
/** Without it the API server sends whole pods. */
const metadataOnly = 'application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1';

export interface ClientOptions {
  readonly connection: ApiConnection;
  readonly namespace: string;
  readonly clock: Clock;
  /** Tests shorten it. */
  readonly patienceMs?: number;
}

/** The few calls on pods, with what may go wrong on the way tried again, within bounds. */
export function podClient(options: ClientOptions): PodClient {
  const { connection, namespace } = options;
  const pods = `/api/v1/namespaces/${namespace}/pods`;
  const one = (name: string): string => `${pods}/${encodeURIComponent(name)}`;

  const answer = async <T>(request: Omit<ApiRequest, 'silentMs'>): Promise<T> => {
    const got = await connection.send({ ...request, silentMs: answerMs });
    if (got.status >= 400) throw await failureOf(got);
    return JSON.parse(await textOf(got, largestAnswer)) as T;
  };
  const tried = <T>(request: Omit<ApiRequest, 'silentMs'>): Promise<T> =>
    again(options, request.signal, () => answer<T>(request));

  /** Pods of a page; with `metadataOnly` they are no more than that. */
  const pagesOf = async function* (
    selector: string,
    accept: string | null,
    signal: AbortSignal,
  ): AsyncGenerator<{
    readonly items: readonly V1Pod[];
    readonly version: string;
    readonly isFirst: boolean;
  }> {
    let next = '';
    let begunAgain = 0;
    for (;;) {
      const isFirst = next === '';
      const query = { labelSelector: selector, limit: String(page) };
      try {
        const list = await tried<V1PodList>({
          method: 'GET',
          path: pods,
          query: isFirst ? query : { ...query, continue: next },
          ...(accept === null ? {} : { accept }),
          signal,
        });
        next = list.metadata?.continue ?? '';
        // A list of metadata that is empty says null (seen on 1.36), one of pods `[]`.
        const items = (list.items as readonly V1Pod[] | null) ?? [];
        yield { items, version: list.metadata?.resourceVersion ?? '', isFirst };
      } catch (error) {
        signal.throwIfAborted();
        const isTooOld = error instanceof ApiFailure && error.status === 410 && !isFirst;
        if (!isTooOld) throw clusterError(error);
        if (begunAgain === mostBeginnings)
          throw new BerthError(
            'SANDBOX_CLUSTER_UNREACHABLE',
            'The list of pods expires before its end, again and again.',
            { cause: error },
          );
        begunAgain += 1;
        next = '';
        // Not an end: from the beginning once more.
        continue;
      }
      if (next === '') return;
    }
  };

  /** Why a create was refused: a 403 has many makers, and one of them can be asked for. */
  const refusal = async (error: unknown, signal: AbortSignal): Promise<unknown> => {
    signal.throwIfAborted();
    const isAboutThePod = error instanceof ApiFailure && !isTransient(error) && error.status !== 401;
    if (!isAboutThePod) return clusterError(error);
    const isAllowed =
      error.status !== 403 || (!mayBeCold(error) && (await client.mayI('create', 'pods', null, signal)));
    return admissionError(error, isAllowed);
  };

  const client: PodClient = {
    namespace,
    async create(pod, signal) {
      let sentBefore = false;
      try {
        return await again(options, signal, async () => {
          try {
            const sent = answer<V1Pod>({
              method: 'POST',
              path: pods,
              query: { fieldValidation: 'Strict', fieldManager: 'berth' },
              body: pod,
              signal,
            });
            return await sent;
          } catch (error) {
            // The answer to an earlier try may have been lost after the pod was made.
            const exists =
              error instanceof ApiFailure && error.status === 409 && error.reason === 'AlreadyExists';
            const found = exists && sentBefore ? await client.get(pod.metadata!.name!, signal) : null;
            if (found !== null && isSame(found, pod)) return found;
            sentBefore = true;
            throw error;
          }
        });
      } catch (error) {
        throw await refusal(error, signal);
      }
    },
    async tryCreate(pod, signal) {
      try {
        const query = { fieldValidation: 'Strict', dryRun: 'All' };
        await tried<V1Pod>({ method: 'POST', path: pods, query, body: pod, signal });
      } catch (error) {
        throw await refusal(error, signal);
      }
    },
    async get(name, signal) {
      return await orNull(tried<V1Pod>({ method: 'GET', path: one(name), signal }), signal);
    },
    async list(selector, signal) {
      const found = new Map<string, V1Pod>();
      let version = '';
      for await (const part of pagesOf(selector, null, signal)) {
        // What was there before it began again may be gone since, and no watch from its end would tell.
        if (part.isFirst) found.clear();
        for (const pod of part.items) found.set(pod.metadata!.name!, pod);
        version = part.version;
      }
      return { resourceVersion: version, pods: [...found.values()] };
    },
    async *pages(selector, signal) {
      for await (const part of pagesOf(selector, metadataOnly, signal)) yield part.items;
    },
    async *watch(selector, resourceVersion, signal) {
      const got = await connection.send({
        method: 'GET',
        path: pods,
        query: {
          watch: '1',
          labelSelector: selector,
          resourceVersion,
          allowWatchBookmarks: 'true',
          timeoutSeconds: String(watchSeconds),
        },
        signal,
        silentMs: streamSilentMs,
      });
      if (got.status >= 400) throw await failureOf(got);
      for await (const line of lines(got)) {
        const event = JSON.parse(line) as WatchEvent;
        if (event.type === 'ERROR') {
          throw new ApiFailure({
            status: event.object.code ?? 500,
            text: JSON.stringify(event.object),
            retryAfter: null,
          });
        }
        yield event;
      }
    },
    async followLog(name, container, signal) {
      const got = await connection.send({
        method: 'GET',
        path: `${one(name)}/log`,
        query: { container, follow: 'true' },
        signal,
        silentMs: streamSilentMs,
      });
      // 204: not scheduled; 400: the container waits, or is over; 404: the pod is gone.
      if (got.status === 204 || got.status === 400 || got.status === 404) {
        got.body.resume();
        return null;
      }
      if (got.status >= 400) throw await failureOf(got);
      return chunks(got);
    },
    async delete(name, request, signal) {
      const body = {
        apiVersion: 'v1',
        kind: 'DeleteOptions',
        gracePeriodSeconds: request.graceSeconds,
        propagationPolicy: 'Background',
        ...(request.uid === undefined ? {} : { preconditions: { uid: request.uid } }),
      };
      try {
        return await tried<V1Pod>({ method: 'DELETE', path: one(name), body, signal });
      } catch (error) {
        signal.throwIfAborted();
        if (error instanceof ApiFailure && (error.status === 404 || error.status === 409)) return null;
        throw clusterError(error);
      }
    },
    async mayI(verb, resource, subresource, signal) {
      const resourceAttributes = {
        namespace,
        verb,
        resource,
        ...(subresource === null ? {} : { subresource }),
      };
      const review = await tried<{ readonly status?: { readonly allowed?: boolean } }>({
        method: 'POST',
        path: '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews',
        body: {
          apiVersion: 'authorization.k8s.io/v1',
          kind: 'SelfSubjectAccessReview',
          spec: { resourceAttributes },
        },
        signal,
      }).catch((error: unknown) => {
        signal.throwIfAborted();
        throw clusterError(error);
      });
      return review.status?.allowed === true;
    },
    async serverTimeMs(signal) {
      const got = await connection.send({ method: 'GET', path: '/version', signal, silentMs: answerMs });
      got.body.resume();
      const date = got.headers['date'];
      const ms = typeof date === 'string' ? Date.parse(date) : Number.NaN;
      return Number.isNaN(ms) ? null : ms;
    },
  };
  return client;
}

/** Whether a pod that exists is the one that was to be made. */
function isSame(found: V1Pod, wanted: V1Pod): boolean {
  const labels = wanted.metadata?.labels ?? {};
  return (
    found.metadata?.deletionTimestamp === undefined &&
    Object.entries(labels).every(([name, value]) => found.metadata?.labels?.[name] === value)
  );
}

async function orNull<T>(sent: Promise<T>, signal: AbortSignal): Promise<T | null> {
  try {
    return await sent;
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof ApiFailure && error.status === 404) return null;
    throw clusterError(error);
  }
}

/** Tries again what failed on the way or was turned away for now, with growing waits, until the patience is over. */
async function again<T>(
  { clock, patienceMs: longestMs = patienceMs }: ClientOptions,
  signal: AbortSignal,
  act: () => Promise<T>,
): Promise<T> {
  let coldSinceMs: number | null = null;
  const startedMs = clock.monotonicMs();
  for (let waitMs = firstWaitMs; ; waitMs = Math.min(waitMs * 2, longestWaitMs)) {
    try {
      return await act();
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof BerthError) throw error;
      const isCold = error instanceof ApiFailure && mayBeCold(error);
      if (error instanceof ApiFailure && !isCold && !isTransient(error)) throw error;
      const nowMs = clock.monotonicMs();
      // From its first such answer: it may have been away for long before.
      if (isCold) coldSinceMs ??= nowMs;
      else coldSinceMs = null;
      if (coldSinceMs !== null && nowMs - coldSinceMs > coldMs) throw error;
      if (nowMs - startedMs > longestMs) throw error;
      const asked = error instanceof ApiFailure ? (error.retryAfterMs ?? 0) : 0;
      // Spread, so that workers that were turned away together do not come back together.
      await clock.sleep(Math.max(asked, waitMs * (0.5 + Math.random() / 2)), signal);
    }
  }
}

export async function failureOf(answer: ApiAnswer): Promise<ApiFailure> {
  const text = await textOf(answer, largestRefusal).catch(() => '');
  const retryAfter = answer.headers['retry-after'];
  return new ApiFailure({
    status: answer.status,
    text,
    retryAfter: typeof retryAfter === 'string' ? retryAfter : null,
  });
}

async function textOf({ body }: ApiAnswer, limit: number): Promise<string> {
  const parts: Buffer[] = [];
  let size = 0;
  for await (const part of body as AsyncIterable<Buffer>) {
    size += part.length;
    if (size > limit) throw new Error(`an answer of more than ${limit} bytes`);
    parts.push(part);
  }
  return Buffer.concat(parts).toString('utf8');
}

async function* chunks({ body }: ApiAnswer): AsyncGenerator<string> {
  const decoder = new StringDecoder('utf8');
  for await (const part of body as AsyncIterable<Buffer>) yield decoder.write(part);
}

async function* lines(answer: ApiAnswer): AsyncGenerator<string> {
  let pending = '';
  for await (const text of chunks(answer)) {
    const whole = (pending + text).split('\n');
    pending = whole.pop() ?? '';
    if (pending.length > largestAnswer) throw new Error('a line without end');
    for (const line of whole) if (line !== '') yield line;
  }
}
