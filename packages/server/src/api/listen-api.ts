import { randomBytes } from 'node:crypto';
import { chmod, link, lstat, mkdir, rename, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { dirname } from 'node:path';
import type { FastifyInstance } from 'fastify';
import { BerthError } from '../domain/errors/index.ts';
import { assertLoopback, type TcpAddress, urlOf } from './listen-address.ts';
import { portHolder } from './port-holder.ts';

export type ListenAddress = { readonly socketPath: string } | TcpAddress;

/**
 * Starts listening and answers the address (`/path/to.sock` or `http://127.0.0.1:1234`).
 *
 * On a unix socket the file permissions are the authentication: the socket has mode 0600 and lies in a directory
 * of mode 0700, so that only its owner (and root) can connect. A socket left over by a dead server is replaced; a
 * living one is never taken away. On TCP, which every account of the machine can reach, the API must have been created
 * with a token (then on loopback alone) or with a way to sign in; whether that is enough beyond loopback was decided
 * before (`access/sign-in/place.ts`).
 * @throws BerthError `SERVER_RUNNING`, `SOCKET_UNSAFE`, `PORT_TAKEN`, `LISTEN_REFUSED`
 */
export async function listenApi(app: FastifyInstance, address: ListenAddress): Promise<string> {
  if ('socketPath' in address) return listenOnSocket(app, address.socketPath);
  if (app.berthDoor === 'socket') {
    throw new BerthError('INTERNAL', 'An API on a TCP port needs a token or a way to sign in.');
  }
  if (app.berthDoor === 'token') assertLoopback(address);
  return listenOnPort(app, address);
}

/** Connections open at once; whoever opens more must not use up the file descriptors that runs need. */
const mostConnections = 4_096;
/** Headers that take longer come from nobody who wants an answer. */
const headersTimeoutMs = 20_000;

async function listenOnPort(app: FastifyInstance, address: TcpAddress): Promise<string> {
  const { host, port } = address;
  app.server.maxConnections = mostConnections;
  app.server.headersTimeout = headersTimeoutMs;
  try {
    await app.listen({ host, port });
  } catch (error) {
    const code = codeOf(error);
    if (code === 'EADDRINUSE') throw await portTaken(address, error);
    if (code === 'EACCES' || code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND') {
      throw new BerthError('LISTEN_INVALID', `Berth cannot listen on ${host}:${port} (${code}).`, {
        cause: error,
      });
    }
    throw error;
  }
  const bound = app.server.address();
  return urlOf({ host, port: typeof bound === 'object' && bound !== null ? bound.port : port });
}

async function portTaken({ host, port }: TcpAddress, cause: unknown): Promise<BerthError> {
  const holder = await portHolder(port);
  const who = holder === null ? 'another process' : `process ${holder.pid} (${shortened(holder.command)})`;
  return new BerthError('PORT_TAKEN', `${host}:${port} is taken by ${who}.`, {
    cause,
    details: { port, pid: holder?.pid ?? null },
  });
}

function shortened(command: string): string {
  return command.length > 80 ? `${command.slice(0, 79)}…` : command;
}

async function listenOnSocket(app: FastifyInstance, path: string): Promise<string> {
  await ownDirectory(dirname(path));
  await removeStale(path);
  // Bound under a name of its own and linked afterwards: a link never replaces what another server put there.
  const own = `${path}.${randomBytes(3).toString('hex')}`;
  let linked: number | null = null;
  app.addHook('onClose', async () => {
    if (linked !== null) await removeIfSame(path, linked);
  });
  await app.listen({ path: own });
  try {
    await chmod(own, 0o600);
    await link(own, path);
  } catch (error) {
    await app.close();
    if (codeOf(error) === 'EEXIST') throw new BerthError('SERVER_RUNNING', undefined, { cause: error });
    throw error;
  }
  linked = (await lstat(own)).ino;
  await rm(own, { force: true });
  return path;
}

/** Makes the directory, or makes sure that it is ours and closed to others. */
async function ownDirectory(directory: string): Promise<void> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const stat = await lstat(directory);
  if (!stat.isDirectory() || stat.uid !== process.getuid?.()) {
    throw new BerthError('SOCKET_UNSAFE', `${directory} belongs to somebody else.`);
  }
  if ((stat.mode & 0o077) !== 0) await chmod(directory, 0o700);
}

/** Removes a socket nobody listens on. Two starters may do so at once: what is taken away is looked at again. */
async function removeStale(path: string): Promise<void> {
  const before = await lstat(path).catch(() => null);
  if (before === null) return;
  if (await answers(path)) throw new BerthError('SERVER_RUNNING');
  const aside = `${path}.${randomBytes(3).toString('hex')}`;
  try {
    await rename(path, aside);
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return;
    throw error;
  }
  if ((await lstat(aside)).ino !== before.ino && (await answers(aside))) {
    await link(aside, path).catch(() => undefined);
    await rm(aside, { force: true });
    throw new BerthError('SERVER_RUNNING');
  }
  await rm(aside, { force: true });
}

async function removeIfSame(path: string, ino: number): Promise<void> {
  const now = await lstat(path).catch(() => null);
  if (now?.ino === ino) await rm(path, { force: true });
}

/** Whether somebody accepts connections on a socket. */
async function answers(path: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const socket = connect(path);
    socket.setTimeout(2_000, () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', (error) => {
      const code = codeOf(error);
      if (code === 'ECONNREFUSED' || code === 'ENOENT' || code === 'ENOTSOCK') resolve(false);
      else reject(error);
    });
  });
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined;
}
