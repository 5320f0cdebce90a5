import { Agent, request as httpsRequest, type RequestOptions } from 'node:https';
import type { IncomingMessage, OutgoingHttpHeaders } from 'node:http';
import type { KubeConfig } from '@kubernetes/client-node';
import { BerthError } from '../../domain/errors/index.ts';

/** One request to the API server. */
export interface ApiRequest {
  readonly method: 'GET' | 'POST' | 'DELETE';
  readonly path: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly body?: unknown;
  /** Content type of the answer; default `application/json`. */
  readonly accept?: string;
  readonly signal: AbortSignal;
  /** Until the headers of the answer are there, and between two pieces of it. */
  readonly silentMs: number;
}

/** The head of an answer; its body is read by whoever asked. */
export interface ApiAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: IncomingMessage;
}

/** Headers and TLS settings for a request that is made now: tokens are renewed in files, and certificates expire. */
export interface Credentials {
  readonly server: string;
  options(): Promise<RequestOptions>;
}

/** The transport to one API server. */
export interface ApiConnection {
  readonly credentials: Credentials;
  /** @throws the error of the connection; a status of 400 and more is an answer */
  send(request: ApiRequest): Promise<ApiAnswer>;
  close(): void;
}

/**
 * Reads where the cluster is: the file of `KUBECONFIG`, `~/.kube/config`, or the service account of the pod that this is.
 * @param file instead of all of these
 * @throws BerthError `SANDBOX_CLUSTER_UNREACHABLE` when there is none
 */
export async function loadCredentials(file?: string): Promise<Credentials> {
  // Loaded when it is needed: the client is 60 MB of generated code, and most installations have no cluster.
  const { KubeConfig: Config } = await import('@kubernetes/client-node');
  const config = new Config();
  try {
    if (file === undefined) config.loadFromDefault();
    else config.loadFromFile(file);
  } catch (cause) {
    throw new BerthError('SANDBOX_CLUSTER_UNREACHABLE', 'The kubeconfig cannot be read.', { cause });
  }
  return credentialsOf(config);
}

/** The credentials of the current context of a kubeconfig. */
export function credentialsOf(config: KubeConfig): Credentials {
  const cluster = config.getCurrentCluster();
  if (cluster === null || !cluster.server.startsWith('https:')) {
    throw new BerthError(
      'SANDBOX_CLUSTER_UNREACHABLE',
      'There is no kubeconfig with a cluster that is reached over HTTPS, and this is no pod with a service account.',
      { next: 'Name a kubeconfig in KUBECONFIG.' },
    );
  }
  const ownAgents = new Map<string, Agent>();
  return {
    server: cluster.server,
    async options() {
      const options: RequestOptions = {};
      await config.applyToHTTPSOptions(options);
      // The client's own agent opens a connection for each request; behind a proxy only it knows the way.
      if (cluster.proxyUrl === undefined) options.agent = keepAliveAgent(ownAgents, options);
      return options;
    },
  };
}

function keepAliveAgent(agents: Map<string, Agent>, options: RequestOptions): Agent {
  const { ca, cert, key, rejectUnauthorized, servername } = options;
  const text = (part: unknown): string =>
    typeof part === 'string' || Buffer.isBuffer(part) ? part.toString() : JSON.stringify(part ?? null);
  const name = JSON.stringify([ca, cert, key, rejectUnauthorized, servername].map(text));
  const found = agents.get(name);
  if (found !== undefined) return found;
  for (const old of agents.values()) old.destroy();
  agents.clear();
  const agent = new Agent({
    keepAlive: true,
    // A connection that is not used for long is one that a load balancer has forgotten.
    timeout: 60_000,
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
    ...(rejectUnauthorized === undefined ? {} : { rejectUnauthorized }),
    ...(servername === undefined ? {} : { servername }),
  });
  agents.set(name, agent);
  return agent;
}

/** Opens the transport; nothing is sent yet. */
export function openConnection(credentials: Credentials): ApiConnection {
  const ended = new AbortController();
  return {
    credentials,
    async send(request) {
      const options = await credentials.options();
      request.signal.throwIfAborted();
      return await sendOnce(credentials.server, options, {
        ...request,
        signal: AbortSignal.any([request.signal, ended.signal]),
      });
    },
    close: () => ended.abort(new BerthError('SANDBOX_CLUSTER_UNREACHABLE', 'The connection was closed.')),
  };
}

function sendOnce(server: string, options: RequestOptions, request: ApiRequest): Promise<ApiAnswer> {
  const url = new URL(server);
  url.pathname = `${url.pathname.replace(/\/$/, '')}${request.path}`;
  url.search = new URLSearchParams(request.query).toString();
  const body = request.body === undefined ? null : JSON.stringify(request.body);
  return new Promise((resolve, reject) => {
    const sent = httpsRequest(url, {
      ...options,
      method: request.method,
      signal: request.signal,
      timeout: request.silentMs,
      headers: {
        ...(options.headers as OutgoingHttpHeaders | undefined),
        Accept: request.accept ?? 'application/json',
        'User-Agent': 'berth',
        ...(body === null
          ? {}
          : { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(body) }),
      },
    });
    sent.on('timeout', () => sent.destroy(new Error(`nothing was heard for ${request.silentMs} ms`)));
    sent.on('error', reject);
    sent.on('response', (answer) => {
      // Whoever reads the body meets the error there; nobody may, when only the status counts.
      answer.on('error', () => undefined);
      resolve({ status: answer.statusCode ?? 0, headers: answer.headers, body: answer });
    });
    sent.end(body ?? undefined);
  });
}
