import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { type SecureContext, TLSSocket } from 'node:tls';
import { MuxStream } from '@berth/protocol';
import type { CredentialBroker } from '../domain/egress.ts';
import { tlsNoProtocol, tlsRefusal } from './answers.ts';
import type { EgressAuthority } from './authority.ts';
import { maxClientHelloBytes, readClientHello, refuseHello } from './client-hello.ts';
import { join, type Recorder, watchIdle } from './connections.ts';
import type { HeldPolicy } from './held-policy.ts';
import type { Target } from './hosts.ts';
import { createHttp1 } from './inspect-http1.ts';
import { serveHttp2 } from './inspect-http2.ts';
import type { Inspection } from './inspection.ts';
import type { EgressLimits } from './limits.ts';
import { peek } from './peek.ts';
import { type HttpProtocol, secureUpstream } from './upstream-tls.ts';
import { type Route, type Router, UpstreamError } from './upstream.ts';

export interface TunnelParts {
  readonly limits: EgressLimits;
  readonly policy: HeldPolicy;
  readonly recorder: Recorder;
  readonly router: Router;
  readonly authority: EgressAuthority;
  readonly credentials: CredentialBroker;
  /** Whom the worker believes where it is the client. */
  readonly trust: () => SecureContext;
  /** Serves what speaks plain HTTP inside a tunnel. */
  readonly servePlain: (stream: Duplex, target: Target) => void;
  /** Aborted when the door closes. */
  readonly signal: AbortSignal;
}

/** A way out was asked for; `granted` and `denied` speak the tongue it was asked for in. */
export type ServeTunnel = (
  stream: Duplex,
  target: Target,
  granted: () => void,
  denied: (status: 403 | 502, reason: string) => void,
) => Promise<void>;

/**
 * What one side may leave behind before the other waits: seven TLS records, which with what TLS adds are two frames of the
 * channel. Eight were two frames and a tiny third, which cost each process on the way as much as a whole one.
 */
const bufferedBytes = 7 * 16 * 1024;

/** Serves tunnels (CONNECT, SOCKS): opaque ones, and those whose TLS ends here to be read. */
export function createTunnels(parts: TunnelParts): ServeTunnel {
  const { limits, policy, recorder, router, signal } = parts;
  const serveHttp1 = createHttp1(limits);

  /** The rule and the way by the policy and the addresses of this moment. @throws UpstreamError */
  async function admit(
    target: Target,
  ): Promise<{ readonly reason: string; readonly contents: string; readonly route: Route }> {
    const verdict = await policy.judge(target);
    if (!verdict.allowed) throw new UpstreamError('refused', verdict.reason);
    const route = await router.route(target, verdict, signal);
    return { reason: verdict.reason, contents: verdict.contents, route };
  }

  async function opaque(stream: Duplex, outside: Duplex, target: Target, reason: string): Promise<void> {
    const stays = async (): Promise<boolean> => {
      const now = await policy.judge(target);
      return now.allowed && now.contents === 'tunnel';
    };
    const leave = policy.enter(stays, () => {
      stream.destroy();
      outside.destroy();
    });
    if (!(await stays())) {
      leave();
      outside.destroy();
      return void stream.destroy();
    }
    const { up, down } = await join(stream, outside, limits.idleTimeoutMs);
    leave();
    recorder.closed(target, reason, up, down, 'tunnel');
  }

  async function inspected(
    stream: Duplex,
    first: Socket,
    target: Target,
    offered: readonly string[],
    reason: string,
  ): Promise<void> {
    const both = offered.length === 0 ? ['http/1.1'] : offered;
    const protocols = both.filter((name): name is HttpProtocol => name === 'h2' || name === 'http/1.1');
    if (protocols.length === 0) {
      recorder.refused(target, `${target.host}:${target.port} was refused: its TLS hello offers no HTTP`);
      first.destroy();
      return void stream.end(tlsNoProtocol, () => stream.destroy());
    }
    const counters: Array<() => { up: number; down: number }> = [];
    const counted = () =>
      counters.reduce(
        (sum, count) => {
          const { up, down } = count();
          return { up: sum.up + up, down: sum.down + down };
        },
        { up: 0, down: 0 },
      );
    const over = new AbortController();
    const whileOpen = AbortSignal.any([signal, over.signal]);
    let known: Socket | null = first;
    const dial = async (names: readonly HttpProtocol[]): Promise<TLSSocket> => {
      let socket = known;
      known = null;
      if (socket === null || socket.destroyed) {
        const { route } = await admit(target);
        socket = await router.open(route, target, whileOpen);
      }
      return begin(socket, names);
    };
    async function begin(socket: Socket, names: readonly HttpProtocol[]): Promise<TLSSocket> {
      const secure = await secureUpstream(socket, target.host, {
        protocols: names,
        trust: parts.trust(),
        timeoutMs: limits.connectTimeoutMs,
        signal: whileOpen,
      });
      const count = () => ({ up: secure.bytesWritten, down: secure.bytesRead });
      counters.push(count);
      whileOpen.addEventListener('abort', () => secure.destroy(), { once: true });
      return secure;
    }

    // The server's choice of protocol is the one that is spoken inside: nothing is translated, so nothing is mistaken.
    let ready: TLSSocket | null = null;
    let failed: unknown = null;
    try {
      ready = await dial(protocols);
      if (!protocols.includes(protocolOf(ready))) {
        ready.destroy();
        throw new UpstreamError('unreachable', `${target.host} does not speak ${protocols.join(' or ')}`);
      }
    } catch (error) {
      failed = error;
    }
    const protocol = ready === null ? protocols[0]! : protocolOf(ready);
    if (stream.destroyed) return void ready?.destroy();
    // Node's types do not know that the socket's own options are taken, too.
    const options = {
      isServer: true,
      secureContext: parts.authority.contextFor(target.host),
      ALPNProtocols: [protocol],
      highWaterMark: bufferedBytes,
    };
    // What TLS writes it made itself.
    if (stream instanceof MuxStream) stream.releasesChunks = true;
    const inside = new TLSSocket(stream, options);
    inside.on('error', () => stream.destroy());
    const inspection: Inspection = {
      target,
      limits,
      credentials: parts.credentials,
      judge: (line) => policy.judgeRequest(target, line),
      enter: (still, reset) => policy.enter(still, reset),
      onRefused: (why, code, request) => recorder.refused(target, why, code, request),
      connect: async () => {
        if (failed !== null) throw failed;
        const socket = ready;
        ready = null;
        if (socket !== null && !socket.destroyed) return socket;
        const another = await dial([protocol]);
        if (protocolOf(another) === protocol) return another;
        another.destroy();
        throw new UpstreamError('unreachable', `${target.host} no longer speaks ${protocol}`);
      },
      signal: whileOpen,
    };
    const leave = policy.enter(
      async () => (await policy.judge(target)).allowed,
      () => stream.destroy(),
    );
    const closed = new Promise<void>((resolve) => {
      inside.once('close', resolve);
      stream.once('close', resolve);
      if (stream.destroyed) resolve();
    });
    const handshake = setTimeout(() => stream.destroy(), limits.headerTimeoutMs);
    const stopIdle = watchIdle(
      () => inside.bytesRead + inside.bytesWritten + counted().up + counted().down,
      limits.idleTimeoutMs,
      () => stream.destroy(),
    );
    inside.once('secure', () => {
      clearTimeout(handshake);
      if (protocol === 'h2') void serveHttp2(inside, inspection).catch(() => stream.destroy());
      else serveHttp1(inside, inspection);
    });
    if (!(await policy.judge(target)).allowed) stream.destroy();
    await closed;
    clearTimeout(handshake);
    stopIdle();
    leave();
    const { up, down } = counted();
    over.abort();
    inside.destroy();
    stream.destroy();
    if (counters.length > 0) recorder.closed(target, reason, up, down, 'inspect');
  }

  return async (stream, target, granted, denied) => {
    let outside: Socket | null = null;
    let admitted: Awaited<ReturnType<typeof admit>>;
    try {
      admitted = await admit(target);
      // On port 80 each request finds its own way once it was read.
      if (target.port !== 80) outside = await router.open(admitted.route, target, signal);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      const kind = error instanceof UpstreamError ? error.kind : 'unreachable';
      if (kind === 'refused') recorder.refused(target, reason);
      return denied(kind === 'unreachable' ? 502 : 403, reason);
    }
    const { reason, route } = admitted;
    const contents = admitted.contents === 'inspect' ? 'inspect' : 'tunnel';
    // An inspected connection makes another one; a tunnel has nothing else.
    outside?.on('error', () => {
      if (contents === 'tunnel') stream.destroy();
    });
    stream.once('close', () => outside?.destroy());
    granted();
    const first = await peek(stream, whole, limits.headerTimeoutMs);
    const hello = readClientHello(first);
    if (target.port === 80 && first.length > 0 && first[0] !== 0x16) return parts.servePlain(stream, target);
    const objection =
      hello.kind === 'hello'
        ? refuseHello(hello, target.host, contents)
        : hello.kind === 'invalid' && first.length > 0
          ? hello.reason
          : 'its TLS hello did not arrive in time';
    if (objection !== null || hello.kind !== 'hello') {
      // A stream that ended without a byte asked for nothing.
      if (first.length > 0)
        recorder.refused(target, `${target.host}:${target.port} was refused: ${objection}`);
      outside?.destroy();
      return void stream.end(tlsRefusal, () => stream.destroy());
    }
    try {
      outside ??= await router.open(route, target, signal);
    } catch {
      return void stream.destroy();
    }
    if (contents === 'inspect') return inspected(stream, outside, target, hello.protocols, reason);
    return opaque(stream, outside, target, reason);
  };
}

function protocolOf(socket: TLSSocket): HttpProtocol {
  return socket.alpnProtocol === 'h2' ? 'h2' : 'http/1.1';
}

function whole(bytes: Buffer): boolean {
  return (
    bytes[0] !== 0x16 || bytes.length > maxClientHelloBytes || readClientHello(bytes).kind !== 'incomplete'
  );
}
