import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect,
  constants,
  type Http2Session,
  type OutgoingHttpHeaders,
  performServerHandshake,
  type ServerHttp2Stream,
} from 'node:http2';
import type { Readable } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import { explain } from './answers.ts';
import { decoderFor, EchoFilter, withoutEcho } from './echo-filter.ts';
import {
  egressCodes,
  hidesMessages,
  type Inspection,
  type Passing,
  type Refusal,
  refusalOf,
  ruleRequest,
} from './inspection.ts';
import { http2Objection, type RawHeaders, valuesOf } from './request-check.ts';

/** Streams open at once on one connection. Browsers and gRPC clients open tens. */
const openStreams = 100;
/**
 * Bytes under way that the other side has not been told were taken: of one stream and of the connection. They bound what
 * a side that stops reading makes the worker hold. Towards servers there is more, as their answers have far to go.
 */
const insideWindow = { stream: 256 * 1024, session: 512 * 1024 };
const outsideWindow = { stream: 1024 * 1024, session: 2 * 1024 * 1024 };

const {
  NGHTTP2_CANCEL,
  NGHTTP2_FLAG_END_STREAM,
  NGHTTP2_INTERNAL_ERROR,
  NGHTTP2_NO_ERROR,
  NGHTTP2_REFUSED_STREAM,
} = constants;

/** Serves HTTP/2 on one inspected connection, over one connection to the target. Resolves when it is over. */
export function serveHttp2(inside: TLSSocket, inspection: Inspection): Promise<void> {
  const { limits } = inspection;
  const session = performServerHandshake(inside, {
    settings: {
      maxConcurrentStreams: openStreams,
      initialWindowSize: insideWindow.stream,
      maxHeaderListSize: limits.headerBytes,
      enableConnectProtocol: false,
    },
    maxHeaderListPairs: 256,
  });
  session.setLocalWindowSize(insideWindow.session);
  let outside: Promise<ClientHttp2Session> | null = null;
  const upstream = (): Promise<ClientHttp2Session> => (outside ??= connectHttp2(inspection, session));
  let open = 0;
  // A connection that opens no stream may stay as long as any other that is silent.
  let quiet = setTimeout(() => inside.destroy(), limits.headerTimeoutMs);
  session.on('stream', (stream, _headers, flags, rawHeaders: string[]) => {
    stream.on('error', () => undefined);
    clearTimeout(quiet);
    open += 1;
    stream.once('close', () => {
      open -= 1;
      if (open > 0) return;
      clearTimeout(quiet);
      quiet = setTimeout(() => session.close(), limits.idleTimeoutMs);
    });
    const isWhole = (flags & NGHTTP2_FLAG_END_STREAM) !== 0;
    serveStream(inspection, stream, rawHeaders, isWhole, upstream).catch(() => {
      stream.close(NGHTTP2_INTERNAL_ERROR);
    });
  });
  session.on('error', () => inside.destroy());
  return new Promise((resolve) => {
    const over = (): void => {
      clearTimeout(quiet);
      void outside?.then(
        (other) => other.destroy(),
        () => undefined,
      );
      resolve();
    };
    session.once('close', over);
    inside.once('close', over);
  });
}

async function connectHttp2(inspection: Inspection, inside: Http2Session): Promise<ClientHttp2Session> {
  const socket = await inspection.connect();
  const session = connect(`https://${inspection.target.host}`, {
    createConnection: () => socket,
    settings: {
      enablePush: false,
      initialWindowSize: outsideWindow.stream,
      maxHeaderListSize: inspection.limits.headerBytes,
    },
    maxHeaderListPairs: 256,
  });
  session.on('error', () => socket.destroy());
  session.once('connect', () => session.setLocalWindowSize(outsideWindow.session));
  // The client inside opens another connection for what comes next; streams that are open may end.
  session.once('goaway', () => inside.close());
  session.once('close', () => inside.close());
  return session;
}

async function serveStream(
  inspection: Inspection,
  stream: ServerHttp2Stream,
  rawHeaders: RawHeaders,
  isWhole: boolean,
  upstream: () => Promise<ClientHttp2Session>,
): Promise<void> {
  let trailers: RawHeaders = [];
  stream.on('trailers', (_headers, _flags, raw: string[]) => {
    trailers = raw;
  });
  const { pseudo, headers } = partsOf(rawHeaders);
  const objection = http2Objection({ pseudo, headers }, inspection.target);
  if (objection !== null) {
    inspection.onRefused(objection.reason, egressCodes.malformed);
    return refuse(stream, { ...objection, code: egressCodes.malformed });
  }
  let request: ClientHttp2Stream | null = null;
  const ruling = await ruleRequest(
    inspection,
    {
      method: pseudo.get(':method') ?? '',
      path: pseudo.get(':path') ?? '',
      headers,
      hasBody: !isWhole && valuesOf(headers, 'content-length')[0] !== '0',
      upgrade: false,
    },
    () => {
      stream.close(NGHTTP2_CANCEL);
      request?.close(NGHTTP2_CANCEL);
    },
  );
  if (ruling.kind === 'refuse') return refuse(stream, ruling);
  stream.once('close', ruling.leave);
  if (stream.destroyed) return ruling.leave();
  let session: ClientHttp2Session;
  try {
    session = await upstream();
  } catch (error) {
    const refusal = refusalOf(error);
    if (refusal.status === 403) inspection.onRefused(refusal.reason);
    return refuse(stream, refusal);
  }
  if (stream.destroyed) return;
  // Nothing of it was sent: the client may repeat it on another connection.
  if (session.closed || session.destroyed) return stream.close(NGHTTP2_REFUSED_STREAM);
  request = session.request(
    {
      ':method': pseudo.get(':method'),
      ':scheme': 'https',
      ':authority': pseudo.get(':authority'),
      ':path': ruling.path,
      ...joined(withoutHost(ruling.headers)),
    },
    { endStream: isWhole, waitForTrailers: !isWhole },
  );
  carry(stream, request, isWhole, () => trailers, ruling);
}

/** Both directions of one exchange, each with its own end, trailers and reset. */
function carry(
  stream: ServerHttp2Stream,
  request: ClientHttp2Stream,
  isWhole: boolean,
  requestTrailers: () => RawHeaders,
  { echo }: Passing,
): void {
  let answerTrailers: RawHeaders = [];
  let answered = false;
  request.on('error', () => undefined);
  request.on('wantTrailers', () => request.sendTrailers(joined(requestTrailers())));
  stream.on('wantTrailers', () => stream.sendTrailers(joined(answerTrailers)));
  request.on('trailers', (_headers, _flags, raw: string[]) => {
    answerTrailers = cleaned(raw, echo);
  });
  request.on('continue', () => {
    if (!stream.destroyed && !answered) stream.additionalHeaders({ ':status': 100 });
  });
  request.once('response', (_headers, flags, raw: string[]) => {
    answered = true;
    if (stream.destroyed) return request.close(NGHTTP2_CANCEL);
    const { pseudo, headers } = partsOf(raw);
    const coding = echo === null ? null : decoderFor(valuesOf(headers, 'content-encoding').join());
    if (coding === 'unknown' || (echo !== null && hidesMessages(headers))) {
      request.close(NGHTTP2_CANCEL);
      return refuse(stream, {
        status: 502,
        reason: 'its answer is encoded in a way that cannot be searched',
      });
    }
    const fields = joined(cleaned(headers, echo));
    if (coding !== null) {
      delete fields['content-encoding'];
      delete fields['content-length'];
    }
    const isEnd = (flags & NGHTTP2_FLAG_END_STREAM) !== 0;
    const status = Number(pseudo.get(':status'));
    stream.respond({ ':status': status, ...fields }, { endStream: isEnd, waitForTrailers: !isEnd });
    if (isEnd) return;
    let body: Readable = request;
    for (const filter of [coding, echo === null ? null : new EchoFilter(echo.forms, echo.onFound)]) {
      if (filter === null) continue;
      filter.on('error', () => {
        stream.close(NGHTTP2_INTERNAL_ERROR);
        request.close(NGHTTP2_CANCEL);
      });
      body = body.pipe(filter);
    }
    body.pipe(stream);
  });
  if (!isWhole) stream.pipe(request);
  stream.once('close', () => {
    if (!request.closed) request.close(stream.rstCode === NGHTTP2_NO_ERROR ? NGHTTP2_CANCEL : stream.rstCode);
  });
  request.once('close', () => {
    if (stream.destroyed || stream.closed) return;
    if (request.rstCode !== NGHTTP2_NO_ERROR) stream.close(request.rstCode);
    else if (!answered) refuse(stream, { status: 502, reason: 'the server closed the connection' });
  });
}

/** Answers in the worker's own name, and takes no more of the request. */
function refuse(stream: ServerHttp2Stream, { status, reason, code }: Refusal): void {
  if (stream.destroyed || stream.closed) return;
  if (stream.headersSent) return stream.close(NGHTTP2_INTERNAL_ERROR);
  stream.respond({
    ':status': status,
    'content-type': 'text/plain; charset=utf-8',
    'x-berth-egress': status === 502 ? 'failed' : 'refused',
    ...(code === undefined ? {} : { 'x-berth-code': code }),
  });
  stream.resume();
  stream.end(explain(status, reason), () => stream.close(NGHTTP2_NO_ERROR));
}

function cleaned(headers: RawHeaders, echo: Passing['echo']): RawHeaders {
  if (echo === null) return headers;
  const clean = withoutEcho(headers, echo.forms);
  if (clean.found) echo.onFound();
  return clean.headers;
}

function withoutHost(headers: RawHeaders): string[] {
  const kept: string[] = [];
  for (let at = 0; at + 1 < headers.length; at += 2) {
    if (headers[at]!.toLowerCase() !== 'host') kept.push(headers[at]!, headers[at + 1]!);
  }
  return kept;
}

function partsOf(raw: RawHeaders): {
  readonly pseudo: ReadonlyMap<string, string>;
  readonly headers: string[];
} {
  const pseudo = new Map<string, string>();
  const headers: string[] = [];
  for (let at = 0; at + 1 < raw.length; at += 2) {
    if (raw[at]!.startsWith(':')) pseudo.set(raw[at]!, raw[at + 1]!);
    else headers.push(raw[at]!, raw[at + 1]!);
  }
  return { pseudo, headers };
}

/** As Node takes headers: names in small letters, those that repeat as lists. */
function joined(headers: RawHeaders): OutgoingHttpHeaders {
  const fields: Record<string, string | string[]> = Object.create(null) as Record<string, string | string[]>;
  for (let at = 0; at + 1 < headers.length; at += 2) {
    const name = headers[at]!.toLowerCase();
    const value = headers[at + 1]!;
    const before = fields[name];
    fields[name] = before === undefined ? value : [before, value].flat();
  }
  return fields;
}
