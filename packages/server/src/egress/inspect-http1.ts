import {
  Agent,
  createServer,
  type ClientRequest,
  type IncomingMessage,
  request as httpRequest,
  ServerResponse,
} from 'node:http';
import type { Duplex } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { TLSSocket } from 'node:tls';
import { answer, answerRaw } from './answers.ts';
import { EchoFilter, decoderFor, withoutEcho } from './echo-filter.ts';
import { endToEndHeaders } from './forward.ts';
import { type Inspection, isDecision, type Passing, refusalOf, ruleRequest } from './inspection.ts';
import { switchProtocols } from './inspect-upgrade.ts';
import type { EgressLimits } from './limits.ts';
import { http1Objection, valuesOf } from './request-check.ts';
import { releaseParsed, sendBody } from './send-body.ts';
import { UpstreamError } from './upstream.ts';
import { egressCodes } from './inspection.ts';

/** Requests of one connection that wait for the answers before theirs. Hardly a client sends more than one. */
const pipelined = 16;

interface Served {
  /** Requests lose theirs when they end. */
  readonly socket: TLSSocket;
  readonly inspection: Inspection;
  readonly agent: Agent;
  waiting: number;
  /** Requests are served one after the other, and none after one that was refused. */
  turn: Promise<void>;
  isRefused: boolean;
  /** Ends a connection that does not get its request head across in time (slow senders). */
  head: NodeJS.Timeout | null;
}

/** Serves HTTP/1.1 on inspected connections of one door. */
export function createHttp1(limits: EgressLimits): (socket: TLSSocket, inspection: Inspection) => void {
  const served = new WeakMap<Duplex, Served>();
  const server = createServer({
    maxHeaderSize: limits.headerBytes,
    keepAliveTimeout: 0,
    insecureHTTPParser: false,
    requireHostHeader: false,
  });

  const arm = (state: Served, ms: number): void => {
    if (state.head !== null) clearTimeout(state.head);
    state.head = state.socket.destroyed ? null : setTimeout(() => state.socket.destroy(), ms);
  };
  const begin = (request: IncomingMessage, response: ServerResponse): Served | null => {
    const state = served.get(request.socket);
    if (state === undefined || state.waiting >= pipelined) {
      state?.socket.destroy();
      return null;
    }
    if (state.head !== null) clearTimeout(state.head);
    state.waiting += 1;
    response.once('close', () => {
      state.waiting -= 1;
      if (state.waiting === 0) arm(state, limits.idleTimeoutMs);
    });
    response.on('error', () => state.socket.destroy());
    return state;
  };

  const inTurn = (state: Served, serve: () => Promise<void>): void => {
    state.turn = state.turn
      .then(() => (state.isRefused ? undefined : serve()))
      .catch(() => void state.socket.destroy());
  };
  const onRequest = (request: IncomingMessage, response: ServerResponse): void => {
    const state = begin(request, response);
    if (state !== null) inTurn(state, () => serveRequest(state, request, response));
  };
  server.on('request', onRequest);
  // Without this Node would answer 100 by itself, and the body would come before anybody wants it.
  server.on('checkContinue', onRequest);
  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    const response = new ServerResponse(request);
    response.assignSocket(request.socket);
    // No parser follows such an answer: the connection ends with it.
    response.once('finish', () => served.get(socket)?.socket.destroySoon());
    const state = begin(request, response);
    if (state !== null) inTurn(state, () => serveUpgrade(state, request, response, head));
  });
  server.on('connect', (_request: IncomingMessage, socket: Duplex) => {
    const reason = 'a tunnel inside a connection that is read is none';
    served.get(socket)?.inspection.onRefused(reason, egressCodes.malformed);
    answerRaw(socket, 400, reason, egressCodes.malformed);
  });
  server.on('clientError', (error: NodeJS.ErrnoException, socket: Duplex) => {
    const tooLong = error.code === 'HPE_HEADER_OVERFLOW';
    const reason = tooLong ? 'the request headers are too long' : 'the request is malformed';
    served.get(socket)?.inspection.onRefused(reason, egressCodes.malformed);
    answerRaw(socket, tooLong ? 431 : 400, reason, egressCodes.malformed);
  });

  return (socket, inspection) => {
    const state: Served = {
      socket,
      inspection,
      agent: new UpstreamAgent(inspection.connect),
      waiting: 0,
      turn: Promise.resolve(),
      isRefused: false,
      head: null,
    };
    served.set(socket, state);
    socket.once('close', () => {
      if (state.head !== null) clearTimeout(state.head);
      state.agent.destroy();
    });
    arm(state, limits.headerTimeoutMs);
    server.emit('connection', socket);
  };
}

/** One connection at a time for one connection from inside, so that no two clients ever share one. */
class UpstreamAgent extends Agent {
  readonly #connect: () => Promise<TLSSocket>;
  constructor(connect: () => Promise<TLSSocket>) {
    super({ keepAlive: true, maxSockets: 1, maxFreeSockets: 1 });
    this.#connect = connect;
  }
  override createConnection(
    _options: unknown,
    callback?: (error: Error | null, stream: Duplex) => void,
  ): undefined {
    this.#connect().then(
      (socket) => callback?.(null, socket),
      // Node's own agents call back with an error alone.
      (error: Error) => (callback as ((error: Error) => void) | undefined)?.(error),
    );
  }
}

/** Judges a request; null when it was refused and answered. */
async function admitted(
  state: Served,
  request: IncomingMessage,
  response: ServerResponse,
  upgrade: boolean,
  ended: AbortController,
): Promise<Passing | null> {
  const { inspection } = state;
  const headers = request.rawHeaders;
  const path = request.url ?? '';
  const hasBody =
    request.headers['transfer-encoding'] !== undefined || Number(request.headers['content-length'] ?? 0) > 0;
  const objection = http1Objection({ httpVersion: request.httpVersion, headers, path }, inspection.target);
  if (objection !== null) {
    inspection.onRefused(objection.reason, egressCodes.malformed);
    state.isRefused = true;
    answer(response, objection.status, objection.reason, egressCodes.malformed);
    return null;
  }
  if (
    upgrade &&
    (request.headers.upgrade?.toLowerCase() !== 'websocket' || request.method !== 'GET' || hasBody)
  ) {
    const reason = 'only WebSockets are switched to';
    inspection.onRefused(reason, egressCodes.malformed);
    state.isRefused = true;
    answer(response, 400, reason, egressCodes.malformed);
    return null;
  }
  const ruling = await ruleRequest(
    inspection,
    { method: request.method ?? '', path, headers, hasBody, upgrade },
    () => ended.abort(),
  );
  if (ruling.kind === 'pass') return ruling;
  state.isRefused = true;
  answer(response, ruling.status, ruling.reason, ruling.code);
  return null;
}

async function serveRequest(
  state: Served,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const ended = new AbortController();
  const passing = await admitted(state, request, response, false, ended);
  if (passing === null) return;
  const { inspection, agent, socket } = state;
  const signal = AbortSignal.any([inspection.signal, ended.signal]);
  let upstream: ClientRequest | null = null;
  let isOver = false;
  try {
    upstream = httpRequest({
      agent,
      method: request.method ?? 'GET',
      path: passing.path,
      headers: upstreamHeaders(request, passing),
      setHost: false,
      maxHeaderSize: inspection.limits.headerBytes,
      insecureHTTPParser: false,
      signal,
    });
    releaseParsed(upstream);
    await exchange(request, upstream, response, passing, signal);
    isOver = true;
  } catch (error) {
    // The server closed a kept connection just then: clients know that and repeat what may be repeated.
    const stale = upstream?.reusedSocket === true && !response.headersSent;
    if (stale || response.headersSent || socket.destroyed) socket.destroy();
    else {
      const refusal = refusalOf(error);
      const { status, reason, code } = refusal;
      if (isDecision(refusal)) inspection.onRefused(reason, code);
      answer(response, status, reason, code);
    }
  } finally {
    passing.leave();
    // One that came to its end has given its connection back, for the next request.
    if (!isOver) upstream?.destroy();
  }
}

function upstreamHeaders(request: IncomingMessage, passing: Passing): string[] {
  const headers = endToEndHeaders(passing.headers, undefined);
  const { 'transfer-encoding': encoding, 'content-length': length, expect } = request.headers;
  if (encoding !== undefined) headers.push('Transfer-Encoding', 'chunked');
  // Without it Node would frame an empty body in chunks, which some servers refuse.
  else if (length === undefined) headers.push(...(takesBody(request.method) ? ['Content-Length', '0'] : []));
  // A body where none belongs must be the last that this connection reads.
  if (!takesBody(request.method) && (encoding !== undefined || Number(length ?? 0) > 0))
    headers.push('Connection', 'close');
  if (expect === undefined) return headers;
  return valuesOf(headers, 'expect').length > 0 ? headers : [...headers, 'Expect', '100-continue'];
}

function takesBody(method: string | undefined): boolean {
  return method === 'POST' || method === 'PUT' || method === 'PATCH';
}

async function exchange(
  request: IncomingMessage,
  upstream: ClientRequest,
  response: ServerResponse,
  { echo }: Passing,
  signal: AbortSignal,
): Promise<void> {
  const answered = new Promise<IncomingMessage>((resolve, reject) => {
    upstream.once('response', resolve);
    upstream.on('error', reject);
    upstream.once('close', () =>
      reject(new UpstreamError('unreachable', 'the server closed the connection')),
    );
    upstream.once('upgrade', (_, socket: Duplex) => {
      socket.destroy();
      reject(new UpstreamError('unreachable', 'the server switched protocols without being asked'));
    });
  });
  let wanted = request.headers.expect === undefined;
  upstream.once('continue', () => {
    wanted = true;
    response.writeContinue();
  });
  // The body may outlive the answer, and the answer the body.
  const sent = pipeline(request, upstream, { signal }).catch((error: unknown) => error);
  const incoming = await answered;
  const coding = echo === null ? null : decoderFor(incoming.headers['content-encoding']);
  if (coding === 'unknown')
    throw new UpstreamError('unreachable', 'its answer is encoded in a way that cannot be searched');
  let headers = endToEndHeaders(incoming.rawHeaders, incoming.headers.connection);
  let said = incoming.statusMessage ?? '';
  if (echo !== null) {
    const clean = withoutEcho([...headers, said], echo.forms);
    if (clean.found) echo.onFound();
    said = clean.headers.pop() ?? '';
    headers = coding === null ? clean.headers : withoutCoding(clean.headers);
  }
  // A body that nobody asked for may still come: what follows it cannot be told from it.
  if (!wanted) headers.push('Connection', 'close');
  response.writeHead(incoming.statusCode ?? 502, said, headers);
  response.flushHeaders();
  const filters = [
    ...(coding === null ? [] : [coding]),
    ...(echo === null ? [] : [new EchoFilter(echo.forms, echo.onFound)]),
  ];
  if (filters.length === 0) await sendBody(incoming, response, signal);
  else await pipeline([incoming, ...filters, response], { signal, end: false });
  if (incoming.rawTrailers.length > 0) response.addTrailers(trailersOf(incoming.rawTrailers, echo));
  response.end();
  if (!request.readableEnded) request.destroy();
  await sent;
}

/** Headers that spoke of the encoded body. */
function withoutCoding(headers: readonly string[]): string[] {
  const stale = new Set(['content-encoding', 'content-length', 'content-md5', 'digest', 'content-digest']);
  const kept: string[] = [];
  for (let at = 0; at + 1 < headers.length; at += 2) {
    if (!stale.has(headers[at]!.toLowerCase())) kept.push(headers[at]!, headers[at + 1]!);
  }
  return kept;
}

function trailersOf(raw: readonly string[], echo: Passing['echo']): Array<[string, string]> {
  const clean = echo === null ? raw : withoutEcho(raw, echo.forms).headers;
  const pairs: Array<[string, string]> = [];
  for (let at = 0; at + 1 < clean.length; at += 2) pairs.push([clean[at]!, clean[at + 1]!]);
  return pairs;
}

async function serveUpgrade(
  state: Served,
  request: IncomingMessage,
  response: ServerResponse,
  head: Buffer,
): Promise<void> {
  const ended = new AbortController();
  const passing = await admitted(state, request, response, true, ended);
  if (passing === null) return;
  const { inspection, agent, socket } = state;
  const signal = AbortSignal.any([inspection.signal, ended.signal]);
  try {
    const upstream = httpRequest({
      agent,
      method: 'GET',
      path: passing.path,
      headers: [
        ...endToEndHeaders(passing.headers, undefined),
        'Connection',
        'Upgrade',
        'Upgrade',
        'websocket',
      ],
      setHost: false,
      maxHeaderSize: inspection.limits.headerBytes,
      insecureHTTPParser: false,
      signal,
    });
    upstream.end();
    const switched = await switchProtocols(upstream, socket, head, passing, inspection.limits, signal);
    if (switched !== null) {
      answer(response, 502, `the server answered ${switched} to the upgrade`);
    }
  } catch (error) {
    const refusal = refusalOf(error);
    const { status, reason, code } = refusal;
    if (isDecision(refusal)) inspection.onRefused(reason, code);
    if (!socket.destroyed) answer(response, status, reason, code);
  } finally {
    passing.leave();
  }
}
