import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { V1Pod } from '../../sandboxes/kubernetes/api-types.ts';
import { admit, type Rules } from './admission.ts';
import { listPods } from './list-pods.ts';
import { answerPortForward } from './port-forward-server.ts';
import { PodStore, selects, wireTime, type StoredEvent } from './pod-store.ts';
import { badRequest, forbidden, notAllowed, notFound, Refusal } from './status.ts';

/** What runs the pods of the test cluster. */
export interface Node {
  /** A pod was made. */
  start(pod: V1Pod): void;
  /** A pod is to be ended; it removes it from the store when that is done. */
  stop(pod: V1Pod, graceSeconds: number): void;
  /** What a container printed; null: it waits. */
  log(uid: string, container: string): ContainerLog | null;
  /** A connection to a port of a pod, from its own loopback. */
  forward(podName: string, port: number): Duplex;
}
export interface ContainerLog {
  text(): string;
  readonly isOver: boolean;
  onChange(listener: () => void): () => void;
}

export interface TestApiServer {
  readonly namespace: string;
  readonly store: PodStore;
  readonly rules: Rules;
  readonly kubeconfig: string;
  readonly caFile: string;
  readonly port: number;
  /** `verb resource` of each request that was answered. */
  readonly asked: string[];
  /** Requests that no recording covers; a test fails with them. */
  readonly uncovered: string[];
  /** Verbs of the token's role, `verb resource`. */
  readonly allowed: Set<string>;
  /** Turns away the next requests as priority and fairness does. */
  throttle(count: number): void;
  setNode(node: Node): void;
  /** Stops listening and breaks every connection, as a restart does. */
  away(): Promise<void>;
  back(): Promise<void>;
  close(): Promise<void>;
}

const user = 'system:serviceaccount:rec-control:berth';
const token = 'test-token-of-the-driver';

/** An API server with one namespace of pods; what it answers follows recordings of Kubernetes 1.36. */
export async function startApiServer(namespace = 'rec-sandboxes'): Promise<TestApiServer> {
  const directory = mkdtempSync(join(tmpdir(), 'berth-k8s-'));
  const [keyFile, caFile, kubeconfig] = ['key.pem', 'ca.pem', 'kubeconfig'].map((name) =>
    join(directory, name),
  ) as [string, string, string];
  const subject = ['-subj', '/CN=kubernetes', '-addext', 'subjectAltName=IP:127.0.0.1', '-days', '2'];
  const request = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  execFileSync('openssl', [...request, '-keyout', keyFile, '-out', caFile, ...subject], { stdio: 'ignore' });

  const store = new PodStore();
  const rules: Rules = { quota: null, maxMemoryBytes: null, runtimeClasses: [], podSecurity: 'restricted' };
  const asked: string[] = [];
  const uncovered: string[] = [];
  const allowed = new Set(
    ['create', 'get', 'list', 'watch', 'delete'].map((verb) => `${verb} pods`).concat('get pods/log'),
  );
  const sockets = new Set<Duplex>();
  let node: Node = {
    start() {},
    stop: (pod) => store.remove(pod.metadata!.uid!),
    log: () => null,
    forward: () => refuse(notFound('x')),
  };
  let throttled = 0;

  const answer = async (incoming: IncomingMessage, response: ServerResponse): Promise<void> => {
    const url = new URL(incoming.url ?? '/', 'https://x');
    const say = (status: number, body: unknown): void => {
      response.writeHead(status, {
        'Content-Type': 'application/json',
        'Cache-Control': 'no-cache, private',
      });
      response.end(`${JSON.stringify(body)}\n`);
    };
    try {
      if (incoming.headers.authorization !== `Bearer ${token}`)
        throw new Refusal(401, 'Unauthorized', 'Unauthorized');
      if (throttled > 0) {
        throttled -= 1;
        const headers = {
          'Content-Type': 'text/plain; charset=utf-8',
          'Retry-After': '1',
          'X-Content-Type-Options': 'nosniff',
        };
        response.writeHead(429, headers).end('Too many requests, please try again later.\n');
        return;
      }
      await route(incoming, url, response, say);
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      say(error.status.code!, error.status);
    }
  };

  const route = async (
    incoming: IncomingMessage,
    url: URL,
    response: ServerResponse,
    say: (status: number, body: unknown) => void,
  ): Promise<void> => {
    const { method } = incoming;
    if (method === 'GET' && url.pathname === '/version')
      return say(200, { major: '1', minor: '36', gitVersion: 'v1.36.2' });
    if (method === 'POST' && url.pathname === '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews') {
      const review = (await bodyOf(incoming)) as {
        spec: {
          resourceAttributes: { verb: string; resource: string; subresource?: string; namespace?: string };
        };
      };
      const { verb, resource, subresource, namespace: where } = review.spec.resourceAttributes;
      const wanted = `${verb} ${resource}${subresource === undefined ? '' : `/${subresource}`}`;
      return say(201, { ...review, status: { allowed: where === namespace && allowed.has(wanted) } });
    }
    const match = /^\/api\/v1\/namespaces\/([^/]+)\/pods(?:\/([^/]+)(?:\/(log|portforward))?)?$/.exec(
      url.pathname,
    );
    if (match === null) {
      uncovered.push(`${method} ${url.pathname}`);
      throw new Refusal(501, 'NotImplemented', `no recording covers ${method} ${url.pathname}`);
    }
    const [, where = '', name = null, subresource = null] = match;
    const isWatch = url.searchParams.get('watch') === '1';
    const verb =
      method === 'POST'
        ? 'create'
        : method === 'DELETE'
          ? 'delete'
          : name !== null
            ? 'get'
            : isWatch
              ? 'watch'
              : 'list';
    const resource = subresource === null ? 'pods' : `pods/${subresource}`;
    asked.push(`${verb} ${resource}`);
    if (where !== namespace || !allowed.has(`${verb} ${resource}`))
      throw notAllowed(user, verb, resource, where, name);
    if (verb === 'create') return say(201, create((await bodyOf(incoming)) as V1Pod, url));
    if (verb === 'delete') return say(200, remove(name!, (await bodyOf(incoming)) as DeleteBody));
    if (subresource === 'log') return readLog(name!, url, response);
    if (verb === 'get') return say(200, store.get(name!) ?? refuse(notFound(name!)));
    if (verb === 'watch') return watch(url, response);
    say(200, listPods(store, url, incoming.headers.accept ?? ''));
  };

  const create = (pod: V1Pod, url: URL): V1Pod => {
    const name = pod.metadata?.name ?? '';
    if (store.get(name) !== undefined && url.searchParams.get('dryRun') === null)
      throw new Refusal(409, 'AlreadyExists', `pods "${name}" already exists`, { name, kind: 'pods' });
    admit(pod, rules, store.all().length, url.searchParams.get('fieldValidation'));
    if (url.searchParams.get('dryRun') === 'All') return pod;
    const made = store.add(pod);
    node.start(made);
    return made;
  };

  interface DeleteBody {
    readonly gracePeriodSeconds?: number;
    readonly preconditions?: { readonly uid?: string };
  }
  const remove = (name: string, body: DeleteBody): V1Pod => {
    const pod = store.get(name);
    if (pod === undefined) throw notFound(name);
    const { uid } = pod.metadata!;
    const wanted = body.preconditions?.uid;
    if (wanted !== undefined && wanted !== uid) {
      const message = `Operation cannot be fulfilled on Pod "${name}": the UID in the precondition (${wanted}) does not match the UID in record (${uid}). The object might have been deleted and then recreated`;
      throw new Refusal(409, 'Conflict', message, { name, kind: 'Pod' });
    }
    const isScheduled =
      pod.status?.conditions?.some((one) => one.type === 'PodScheduled' && one.status === 'True') === true;
    const grace = isScheduled ? (body.gracePeriodSeconds ?? 30) : 0;
    const marked = store.update(uid!, (one) => {
      one.metadata!.deletionTimestamp ??= wireTime(Date.now() + grace * 1_000);
      one.metadata!.deletionGracePeriodSeconds = grace;
      return one;
    })!;
    node.stop(marked, grace);
    if (grace === 0) store.remove(uid!);
    return marked;
  };

  const readLog = (name: string, url: URL, response: ServerResponse): void => {
    const pod = store.get(name);
    if (pod === undefined) throw notFound(name);
    const container = url.searchParams.get('container') ?? '';
    if (pod.status?.conditions === undefined) {
      response.writeHead(204).end();
      return;
    }
    const log = node.log(pod.metadata!.uid!, container);
    if (log === null)
      throw badRequest(`container "${container}" in pod "${name}" is waiting to start: PodInitializing`);
    response.writeHead(200, { 'Content-Type': 'text/plain' });
    response.flushHeaders();
    let sent = 0;
    const send = (): void => {
      // A line without its end is not shown.
      const text = log.isOver ? log.text() : log.text().slice(0, log.text().lastIndexOf('\n') + 1);
      if (text.length > sent) response.write(text.slice(sent));
      sent = Math.max(sent, text.length);
      if (log.isOver || url.searchParams.get('follow') !== 'true') response.end();
    };
    response.on('close', log.onChange(send));
    send();
  };

  const watch = (url: URL, response: ServerResponse): void => {
    const selector = url.searchParams.get('labelSelector') ?? '';
    const from = Number(url.searchParams.get('resourceVersion') ?? '0');
    response.writeHead(200, { 'Content-Type': 'application/json' });
    response.flushHeaders();
    const write = (type: string, object: unknown): void =>
      void response.write(`${JSON.stringify({ type, object })}\n`);
    if (from < store.oldest) {
      write(
        'ERROR',
        new Refusal(410, 'Expired', `too old resource version: ${from} (${store.oldest})`).status,
      );
      response.end();
      return;
    }
    const tell = (event: StoredEvent): void => {
      const now = event.type !== 'DELETED' && selects(selector, event.object.metadata!.labels);
      const before = event.labelsBefore !== null && selects(selector, event.labelsBefore);
      if (now) write(before ? 'MODIFIED' : 'ADDED', event.object);
      // A pod that leaves the selector shows its old labels, and no deletionTimestamp.
      else if (before)
        write('DELETED', {
          ...event.object,
          metadata: { ...event.object.metadata, labels: event.labelsBefore },
        });
    };
    for (const event of store.since(from)) tell(event);
    const stop = store.listen(tell);
    const bookmarks = setInterval(() => {
      const metadata = { resourceVersion: String(store.version) };
      write('BOOKMARK', { kind: 'Pod', apiVersion: 'v1', metadata, spec: { containers: null }, status: {} });
    }, 1_000);
    response.on('close', () => {
      clearInterval(bookmarks);
      stop();
    });
  };

  const options = { key: readFileSync(keyFile), cert: readFileSync(caFile) };
  const open = async (port: number): Promise<Server> => {
    const made = createServer(options, (incoming, response) => {
      answer(incoming, response).catch((error: unknown) => {
        uncovered.push(String(error));
        response.destroy();
      });
    });
    made.on('connection', (socket) => {
      sockets.add(socket);
      socket.on('close', () => sockets.delete(socket));
    });
    made.on('upgrade', (incoming, socket, head) => {
      const url = new URL(incoming.url ?? '/', 'https://x');
      const match = /\/pods\/([^/]+)\/portforward$/.exec(url.pathname);
      asked.push('create pods/portforward');
      const mayDo =
        incoming.headers.authorization === `Bearer ${token}` && allowed.has('create pods/portforward');
      if (match === null || !mayDo) {
        socket.end('HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n');
        return;
      }
      const wanted = Number(url.searchParams.get('ports'));
      answerPortForward(incoming, socket, head, wanted, () => node.forward(match[1]!, wanted));
    });
    made.listen(port, '127.0.0.1');
    await once(made, 'listening');
    return made;
  };
  let server: Server | null = await open(0);
  const { port } = server.address() as AddressInfo;
  const away = async (): Promise<void> => {
    const was = server;
    server = null;
    for (const socket of sockets) socket.destroy();
    if (was !== null) await new Promise((resolve) => was.close(resolve));
  };
  writeFileSync(kubeconfig, kubeconfigOf(port, caFile));
  return {
    namespace,
    store,
    rules,
    kubeconfig,
    caFile,
    port,
    asked,
    uncovered,
    allowed,
    throttle: (count) => (throttled = count),
    setNode: (next) => (node = next),
    away,
    async back() {
      server = await open(port);
    },
    async close() {
      await away();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

function kubeconfigOf(port: number, caFile: string): string {
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'test',
    clusters: [
      { name: 'c', cluster: { server: `https://127.0.0.1:${port}`, 'certificate-authority': caFile } },
    ],
    users: [{ name: 'u', user: { token } }],
    contexts: [{ name: 'test', context: { cluster: 'c', user: 'u' } }],
  });
}

function refuse(refusal: Refusal): never {
  throw refusal;
}

async function bodyOf(incoming: IncomingMessage): Promise<unknown> {
  const parts: Buffer[] = [];
  for await (const part of incoming as AsyncIterable<Buffer>) parts.push(part);
  const text = Buffer.concat(parts).toString('utf8');
  if (text === '') return {};
  try {
    return JSON.parse(text) as unknown;
  } catch {
    throw forbidden('', 'the body is no JSON');
  }
}
