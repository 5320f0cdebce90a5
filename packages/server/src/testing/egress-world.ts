import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer as createHttpServer, type Server as HttpServer } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import { type AddressInfo, isIP } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { duplexPair, type Duplex } from 'node:stream';
import { connect as tlsConnect, type TLSSocket } from 'node:tls';

/** A certificate for the names, made now with openssl and gone afterwards. */
export function makeCertificate(names: readonly string[]): { key: string; cert: string } {
  const directory = mkdtempSync(join(tmpdir(), 'berth-cert-'));
  try {
    const file = (name: string) => join(directory, name);
    const subject = [
      '-subj',
      `/CN=${names[0]}`,
      '-addext',
      `subjectAltName=${names.map((n) => `${isIP(n) === 0 ? 'DNS' : 'IP'}:${n}`).join()}`,
    ];
    const key = [
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:prime256v1',
      '-nodes',
      '-keyout',
      file('key'),
    ];
    execFileSync('openssl', ['req', '-x509', ...key, '-out', file('cert'), '-days', '2', ...subject], {
      stdio: 'ignore',
    });
    return { key: readFileSync(file('key'), 'utf8'), cert: readFileSync(file('cert'), 'utf8') };
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** Listens on a loopback address; answers what `handle` says. */
export async function listen(server: HttpServer, host = '127.0.0.1', port = 0): Promise<number> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, resolve);
  });
  return (server.address() as AddressInfo).port;
}

export const httpServer = createHttpServer;
export const httpsServer = createHttpsServer;

/** A connection as sandboxd hands it over: `inside` is the command's end. */
export function pipePair(): { inside: Duplex; outside: Duplex } {
  const [inside, outside] = duplexPair();
  inside.on('error', () => {});
  // The pair does not hand a close over; the channel's streams do.
  inside.once('close', () => outside.destroy());
  outside.once('close', () => setImmediate(() => inside.destroy()));
  return { inside, outside };
}

/** Everything that arrives until the stream closes, as text. */
export async function readAll(stream: Duplex): Promise<string> {
  const parts: Buffer[] = [];
  stream.on('data', (chunk: Buffer) => parts.push(chunk));
  await new Promise<void>((resolve) => {
    if (stream.destroyed) return resolve();
    stream.once('end', resolve);
    stream.once('close', resolve);
  });
  return Buffer.concat(parts).toString('latin1');
}

/** What arrives up to and including `marker`; the rest stays unread. */
export async function readUntil(stream: Duplex, marker: string): Promise<string> {
  let text = '';
  for (;;) {
    const byte = stream.read(1) as Buffer | null;
    if (byte === null) {
      if (stream.destroyed || stream.readableEnded) throw new Error(`closed after: ${text}`);
      await new Promise<void>((resolve) => {
        stream.once('readable', resolve);
        stream.once('close', resolve);
      });
      continue;
    }
    text += byte.toString('latin1');
    if (text.endsWith(marker)) return text;
  }
}

/** TLS inside a tunnel that was granted. Resolves connected, or with the error. */
export async function tlsOver(
  stream: Duplex,
  servername: string | undefined,
  ca: string,
): Promise<TLSSocket | Error> {
  return new Promise((resolve) => {
    const socket = tlsConnect({
      socket: stream,
      ca,
      ...(servername === undefined ? { checkServerIdentity: () => undefined } : { servername }),
    });
    socket.once('secureConnect', () => resolve(socket));
    socket.once('error', (error) => resolve(error));
    socket.once('close', () => resolve(new Error('closed')));
  });
}
