import { constants } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { createServer } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';
import { networkInterfaces } from 'node:os';
import { createServer as createTlsServer } from 'node:tls';
import type { Server as TlsServer, TLSSocket } from 'node:tls';
import { handshakeMs } from '@berth/protocol';
import type { OwnCertificate } from './own-certificate.ts';
import { judgeWorker } from './worker-certificate.ts';
import type { WorkerVerdict } from './worker-certificate.ts';

/**
 * Hand-shakes at once. A flood pushes out its own: when all places are taken, the oldest of the address with the most
 * of them gives way, and a worker needs about 10 ms for its own.
 */
const maxHandshakes = 64;

export interface TlsListenerOptions {
  readonly host: string;
  readonly port: number;
  readonly certificate: OwnCertificate;
  readonly channelKey: KeyObject;
  readonly podUid: string;
  /** Refuse loopback and this pod's own addresses before TLS: whoever comes from there is inside the sandbox. */
  readonly dropLocal: boolean;
  /** A worker that may speak with this epoch. */
  readonly onWorker: (socket: TLSSocket, epoch: number) => void;
  /** Why a connection was refused; for the log. */
  readonly onRefused: (why: string) => void;
  /** Tests shorten it. Milliseconds. */
  readonly withinMs?: number;
}

/** Listens on TCP for workers: TLS 1.3, each with a certificate of the installation. Unknown peers get no byte of data. */
export class TlsListener {
  readonly #options: TlsListenerOptions;
  readonly #server: Server;
  readonly #tls: TlsServer;
  /** Connections whose TLS hand-shake goes on, oldest first, with the address they come from. */
  readonly #handshakes = new Map<Socket, string>();

  constructor(options: TlsListenerOptions) {
    this.#options = options;
    this.#tls = createTlsServer(
      {
        cert: options.certificate.certificatePem,
        key: options.certificate.keyPem,
        minVersion: 'TLSv1.3',
        maxVersion: 'TLSv1.3',
        requestCert: true,
        // Decided in `judgeWorker`: the pod knows a key and no certificate of an authority.
        rejectUnauthorized: false,
        // Otherwise all the public roots would be loaded, to be believed by nobody.
        ca: options.certificate.certificatePem,
        // A resumed session would skip the certificate.
        secureOptions: constants.SSL_OP_NO_TICKET,
        handshakeTimeout: options.withinMs ?? handshakeMs,
      },
      (socket) => this.#decide(socket),
    );
    this.#tls.on('tlsClientError', (error, socket) => {
      options.onRefused(`no TLS 1.3 hand-shake (${codeOf(error)})`);
      socket.destroy();
    });
    this.#server = createServer({ noDelay: true }, (socket) => this.#accept(socket));
  }

  /** @returns the port */
  async listen(): Promise<number> {
    const { host, port } = this.#options;
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen({ host, port }, resolve);
    });
    return (this.#server.address() as AddressInfo).port;
  }

  /** Stops listening; what is connected stays. */
  close(): void {
    this.#server.close();
    for (const socket of this.#handshakes.keys()) socket.destroy();
  }

  #accept(socket: Socket): void {
    const from = plainAddress(socket.remoteAddress ?? '');
    socket.on('error', () => {});
    if (from === '' || (this.#options.dropLocal && isOwnAddress(from, socket.localAddress))) {
      this.#options.onRefused('it comes from inside the sandbox');
      socket.resetAndDestroy();
      return;
    }
    if (this.#handshakes.size >= maxHandshakes) this.#makeRoom();
    this.#handshakes.set(socket, from);
    // A time-out of TLS itself starts anew with every byte.
    const late = setTimeout(() => socket.destroy(), this.#options.withinMs ?? handshakeMs);
    const over = (): void => {
      clearTimeout(late);
      this.#handshakes.delete(socket);
    };
    this.#over.set(socket, over);
    socket.once('close', over);
    this.#tls.emit('connection', socket);
  }

  readonly #over = new WeakMap<Socket, () => void>();

  #makeRoom(): void {
    const counts = new Map<string, number>();
    for (const from of this.#handshakes.values()) counts.set(from, (counts.get(from) ?? 0) + 1);
    const most = Math.max(...counts.values());
    for (const [socket, from] of this.#handshakes) {
      if (counts.get(from) !== most) continue;
      this.#over.get(socket)?.();
      socket.destroy();
      return;
    }
  }

  #decide(socket: TLSSocket): void {
    socket.on('error', () => {});
    this.#endHandshake(socket);
    const verdict = this.#judge(socket);
    if (verdict.kind === 'refused') {
      this.#options.onRefused(verdict.why);
      socket.destroy();
      return;
    }
    this.#options.onWorker(socket, verdict.epoch);
  }

  #judge(socket: TLSSocket): WorkerVerdict {
    const { channelKey, podUid } = this.#options;
    if (socket.isSessionReused()) return { kind: 'refused', why: 'a resumed session' };
    try {
      return judgeWorker(socket.getPeerX509Certificate(), { channelKey, podUid, nowMs: Date.now() });
    } catch {
      // Anybody can send a certificate that only its use shows to be broken.
      return { kind: 'refused', why: 'a broken certificate' };
    }
  }

  #endHandshake(tls: TLSSocket): void {
    for (const socket of this.#handshakes.keys()) {
      if (socket.remotePort !== tls.remotePort || socket.remoteAddress !== tls.remoteAddress) continue;
      this.#over.get(socket)?.();
      return;
    }
  }
}

/** An IPv4 address that an IPv6 socket shows as `::ffff:…`, and addresses with a zone, in their plain form. */
function plainAddress(address: string): string {
  const plain = address.replace(/%.*$/, '').toLowerCase();
  return plain.startsWith('::ffff:') && plain.includes('.') ? plain.slice(7) : plain;
}

/** Interfaces are read each time: addresses come and go, and connections are rare. */
function isOwnAddress(from: string, to: string | undefined): boolean {
  if (from.startsWith('127.') || from === '::1' || from === plainAddress(to ?? '')) return true;
  return Object.values(networkInterfaces()).some((addresses) =>
    addresses?.some(({ address }) => plainAddress(address) === from),
  );
}

function codeOf(error: Error): string {
  return 'code' in error && typeof error.code === 'string' ? error.code : 'no reason';
}
