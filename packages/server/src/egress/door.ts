import { randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import type { EgressAccount } from '../domain/egress-account.ts';
import {
  noCredentials,
  type CredentialBroker,
  type EgressBounds,
  type EgressDecision,
  type EgressPolicy,
  type EgressTraffic,
} from '../domain/egress.ts';
import type { Clock } from '../domain/ports/clock.ts';
import { answer, answerRaw } from './answers.ts';
import { authoritySeedBytes, createEgressAuthority, type EgressAuthority } from './authority.ts';
import { createRecorder } from './connections.ts';
import { overridesLine, type RequestLine } from './decide.ts';
import type { EcosystemSource } from './ecosystems.ts';
import { exchange, upgrade } from './exchange.ts';
import { plainTarget, startUpstream } from './forward.ts';
import { holdPolicy } from './held-policy.ts';
import { parseAuthority, type Target } from './hosts.ts';
import { defaultEgressLimits, type EgressLimits } from './limits.ts';
import { createMeter, meteredRouter } from './meter.ts';
import { watchOwnAddresses } from './own-addresses.ts';
import { peek } from './peek.ts';
import { placeCredential } from './place-credential.ts';
import { readSocksRequest, socksAnswer, socksReply } from './socks.ts';
import { rangesOf } from './special-ranges.ts';
import { createTunnels } from './tunnel.ts';
import { trustedAuthorities } from './upstream-tls.ts';
import { createRouter, systemResolve, UpstreamError, type Resolve } from './upstream.ts';

export interface EgressDoorOptions {
  readonly policy: EgressPolicy;
  readonly ecosystems: EcosystemSource;
  readonly clock: Clock;
  readonly onDecision: (decision: EgressDecision) => void;
  /** Setting `egress.refusedRanges`. */
  readonly refusedRanges?: readonly string[];
  readonly limits?: Partial<EgressLimits>;
  readonly resolve?: Resolve;
  readonly proxyEnv?: Readonly<Record<string, string | undefined>>;
  /** Of the run, over all its sandboxes; absent: this door counts for itself. */
  readonly account?: EgressAccount;
  /** Of the worker's interfaces; absent: asked of the system. */
  readonly ownAddresses?: () => ReadonlySet<string>;
  /** Signs for inspected hosts. Absent: one that nobody trusts, so that inspected connections fail. */
  readonly authority?: EgressAuthority;
  /** Put on requests to their hosts; absent: none. */
  readonly credentials?: CredentialBroker;
  /** Certificates (PEM) that servers may be signed by, beside the machine's and those of `NODE_EXTRA_CA_CERTS`. */
  readonly trusted?: readonly string[];
}

/** The way out of one sandbox. */
export interface EgressDoor {
  /** Serves one connection from inside the sandbox: HTTP proxy or SOCKS5, told apart by its first byte. */
  accept(stream: Duplex): void;
  /** Holds from now on; open connections that the new policy forbids are reset. */
  setPolicy(policy: EgressPolicy): void;
  /** Resets everything. */
  close(): void;
}

/** Makes the door of one sandbox. Everything that comes through it is hostile. */
export function createEgressDoor(options: EgressDoorOptions): EgressDoor {
  const limits = { ...defaultEgressLimits, ...options.limits };
  const recorder = createRecorder(options.clock, options.onDecision);
  /** The policy as it was put last; its bounds count at once. */
  let bounds: EgressBounds = options.policy;
  const traffic = (): EgressTraffic => bounds.traffic ?? limits;
  const direct = createRouter({
    refusedRanges: () => rangesOf(bounds, options.refusedRanges),
    ownAddresses: options.ownAddresses ?? watchOwnAddresses(options.clock),
    connectTimeoutMs: limits.connectTimeoutMs,
    resolve: options.resolve ?? systemResolve,
    proxyEnv: options.proxyEnv ?? process.env,
  });
  const router = meteredRouter(
    direct,
    createMeter(options.clock, traffic, options.account),
    (target, reason) => recorder.limited(target, reason),
  );
  const closing = new AbortController();
  const inside = new Set<Duplex>();
  /** Streams that speak plain HTTP inside a tunnel, and where to. */
  const pinned = new WeakMap<Duplex, Target>();
  /** Ends a connection that does not get its request head across in time (slow senders). */
  const headTimers = new WeakMap<Duplex, NodeJS.Timeout>();
  const credentials = options.credentials ?? noCredentials;
  const policy = holdPolicy(options.policy, options.ecosystems, () => credentials.list());
  const tunnel = createTunnels({
    limits,
    policy,
    recorder,
    router,
    authority:
      options.authority ?? createEgressAuthority(randomBytes(authoritySeedBytes), 'nobody', options.clock),
    credentials,
    trust: () => trustedAuthorities([...(options.trusted ?? []), ...(bounds.trust ?? [])]),
    servePlain(stream, target) {
      pinned.set(stream, target);
      serveHttp(stream);
    },
    signal: closing.signal,
  });

  /** The verdict and the way, or the status and reason to answer; refusals are recorded. */
  async function admit(target: Target) {
    const verdict = await policy.judge(target);
    try {
      if (!verdict.allowed) throw new UpstreamError('refused', verdict.reason);
      return {
        ok: true as const,
        verdict,
        route: await router.route(target, verdict, closing.signal),
      };
    } catch (error) {
      return { ok: false as const, ...failure(target, error) };
    }
  }

  function failure(target: Target, error: unknown): { status: 403 | 502; reason: string } {
    const reason = error instanceof Error ? error.message : String(error);
    const refused = error instanceof UpstreamError && error.kind === 'refused';
    if (refused) recorder.refused(target, reason);
    const limited = error instanceof UpstreamError && error.kind === 'limited';
    return { status: refused || limited ? 403 : 502, reason };
  }

  async function plain(
    request: IncomingMessage,
    response: ServerResponse | null,
    stream: Duplex,
    head: Buffer,
  ) {
    const refuse = (status: number, reason: string) =>
      response === null ? answerRaw(stream, status, reason) : answer(response, status, reason);
    const asked = plainTarget(request, pinned.get(stream) ?? null);
    if (!asked.ok) {
      if (asked.status === 403 && asked.target !== null) recorder.refused(asked.target, asked.reason);
      return refuse(asked.status, asked.reason);
    }
    const { target, path } = asked;
    const line: RequestLine = {
      method: request.method ?? '',
      path,
      upgrade: response === null,
      overrides: overridesLine(Object.keys(request.headers)),
    };
    const first = await policy.judgeRequest(target, line);
    if (!first.allowed) {
      recorder.refused(target, first.reason, undefined, line);
      return refuse(403, first.reason);
    }
    // A credential is never put where everybody on the way could read it.
    const placed = placeCredential(credentials.list(), target, { path, headers: request.rawHeaders });
    if (placed.kind !== 'none') {
      const why = placed.kind === 'use' ? 'a credential is only put on requests inside TLS' : placed.reason;
      recorder.refused(target, why, 'EGRESS_CREDENTIAL_AMBIGUOUS', line);
      return refuse(403, why);
    }
    const admitted = await admit(target);
    if (!admitted.ok) return refuse(admitted.status, admitted.reason);
    const { verdict, route } = admitted;
    const ended = new AbortController();
    const signal = AbortSignal.any([closing.signal, ended.signal]);
    const leave = policy.enter(
      async () => (await policy.judgeRequest(target, line)).allowed,
      () => ended.abort(),
    );
    const idle = setTimeout(() => ended.abort(), limits.idleTimeoutMs);
    let counts = () => ({ up: 0, down: 0 });
    try {
      const now = await policy.judgeRequest(target, line);
      if (!now.allowed) throw new UpstreamError('refused', now.reason);
      const upstream = await startUpstream({
        request,
        target,
        path,
        route,
        router,
        upgrade: response === null,
        headerBytes: limits.headerBytes,
        signal,
      });
      const socket = upstream.socket;
      upstream.once('socket', (used) => {
        counts = () => ({ up: used.bytesWritten, down: used.bytesRead });
        used.on('data', () => idle.refresh());
      });
      if (socket !== null) counts = () => ({ up: socket.bytesWritten, down: socket.bytesRead });
      request.on('data', () => idle.refresh());
      if (response === null) await upgrade(upstream, stream, head, limits.idleTimeoutMs, refuse);
      else await exchange(request, upstream, response, signal);
    } catch (error) {
      if (stream.destroyed) return;
      const { status, reason } = failure(target, error);
      refuse(status, reason);
    } finally {
      clearTimeout(idle);
      leave();
      const { up, down } = counts();
      recorder.closed(target, verdict.reason, up, down, 'inspect');
    }
  }

  const server = createServer({ maxHeaderSize: limits.headerBytes, keepAliveTimeout: 0 });
  // Node's own time-outs only watch servers that listen; these hold for streams that were handed in.
  server.on('request', (request, response) => {
    const stream: Duplex = request.socket;
    clearTimeout(headTimers.get(stream));
    response.once('close', () => armHead(stream, limits.idleTimeoutMs));
    response.on('error', () => stream.destroy());
    void plain(request, response, stream, Buffer.alloc(0)).catch(() => stream.destroy());
  });
  server.on('upgrade', (request: IncomingMessage, stream: Duplex, head: Buffer) => {
    clearTimeout(headTimers.get(stream));
    void plain(request, null, stream, head).catch(() => stream.destroy());
  });
  server.on('connect', (request: IncomingMessage, stream: Duplex, head: Buffer) => {
    clearTimeout(headTimers.get(stream));
    const target = pinned.has(stream) ? null : parseAuthority(request.url ?? '');
    if (target === null) return answerRaw(stream, 400, 'CONNECT needs host:port');
    if (head.length > 0) stream.unshift(head);
    const granted = () => void stream.write('HTTP/1.1 200 Connection established\r\n\r\n');
    void tunnel(stream, target, granted, (status, reason) => answerRaw(stream, status, reason)).catch(() =>
      stream.destroy(),
    );
  });
  server.on('clientError', (error: NodeJS.ErrnoException, stream: Duplex) => {
    const tooLong = error.code === 'HPE_HEADER_OVERFLOW';
    answerRaw(
      stream,
      tooLong ? 431 : 400,
      tooLong ? 'the request headers are too long' : 'the request is malformed',
    );
  });

  function armHead(stream: Duplex, ms: number): void {
    clearTimeout(headTimers.get(stream));
    if (stream.destroyed) return;
    headTimers.set(
      stream,
      setTimeout(() => stream.destroy(), ms),
    );
  }

  function serveHttp(stream: Duplex): void {
    armHead(stream, limits.headerTimeoutMs);
    server.emit('connection', stream);
  }

  async function serveSocks(stream: Duplex): Promise<void> {
    const asked = await readSocksRequest(stream, limits.headerTimeoutMs);
    if (asked.kind === 'refused') {
      if (asked.target !== null) recorder.refused(asked.target, asked.reason);
      if (!stream.writableEnded) stream.destroy();
      return;
    }
    const granted = () => void stream.write(socksAnswer(socksReply.granted));
    await tunnel(stream, asked.target, granted, (status) => {
      // An address that no rule allows: the client should have asked for the name (socks5h).
      const refusal = asked.byAddress === true ? socksReply.addressTypeNotSupported : socksReply.notAllowed;
      stream.end(socksAnswer(status === 403 ? refusal : socksReply.hostUnreachable));
    });
  }

  return {
    accept(stream) {
      if (closing.signal.aborted || inside.size >= traffic().connections) {
        stream.on('error', () => stream.destroy());
        return answerRaw(stream, 503, `a sandbox may have ${traffic().connections} connections at once`);
      }
      inside.add(stream);
      stream.on('error', () => stream.destroy());
      stream.once('close', () => {
        inside.delete(stream);
        clearTimeout(headTimers.get(stream));
      });
      void peek(stream, (bytes) => bytes.length > 0, limits.headerTimeoutMs)
        .then((first) => {
          if (first.length === 0) return void stream.destroy();
          return first[0] === 5 ? serveSocks(stream) : serveHttp(stream);
        })
        .catch(() => stream.destroy());
    },
    setPolicy(next) {
      bounds = next;
      policy.replace(next);
    },
    close() {
      closing.abort();
      for (const stream of inside) stream.destroy();
    },
  };
}
