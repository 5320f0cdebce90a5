import type { TLSSocket } from 'node:tls';
import { decoderFor, EchoFilter, withoutEcho } from './echo-filter.ts';
import { HpackDecoder, HpackError } from './hpack.ts';
import {
  clientPreface,
  type Frame,
  frame,
  frameFlag,
  frameType,
  goaway,
  Http2Error,
  http2Error,
  numberFrame,
  readSettings,
  setting,
  settingsFrame,
  unpadded,
} from './http2-frames.ts';
import { type HeaderParts, partsOf } from './http2-headers.ts';
import { giveBack, openStreams, passedSettings, plainData, sideOf } from './http2-hop.ts';
import { drain, type FrameRules, readFrames } from './http2-reader.ts';
import { createRefusals, type Side, type Stream, writeData, writeHeaders } from './http2-streams.ts';
import {
  egressCodes,
  hidesMessages,
  type Inspection,
  isDecision,
  type Refusal,
  refusalOf,
  ruleRequest,
} from './inspection.ts';
import { http2Objection, type RawHeaders, valuesOf } from './request-check.ts';

/**
 * Serves HTTP/2 on an inspected connection, frame by frame over one connection to the target: streams keep their numbers
 * and both ends grant each other their credit, so that nothing gathers here. Headers are read, judged and written anew.
 * Written here instead of taken from Node, whose HTTP/2 ends the process on an assertion when a connection is torn down
 * while data comes in, which whoever is inside could bring about.
 */
export async function serveHttp2(socket: TLSSocket, inspection: Inspection): Promise<void> {
  const { limits, target } = inspection;
  const inside = sideOf(socket);
  let server: TLSSocket | null = null;
  let outside: Side | null = null;
  let failed: Refusal | null = null;
  try {
    server = await inspection.connect();
    outside = sideOf(server);
  } catch (error) {
    failed = refusalOf(error);
    if (isDecision(failed)) inspection.onRefused(failed.reason, failed.code);
  }
  const streams = new Map<number, Stream>();
  const refusals = createRefusals(inside);
  const fromInside = new HpackDecoder(limits.headerBytes);
  const fromOutside = new HpackDecoder(limits.headerBytes);
  let lastStream = 0;
  let quiet = setTimeout(() => socket.destroy(), limits.headerTimeoutMs);

  // The first that a client hears are settings; an answer of the worker's own must not come before them.
  const greeted = Promise.withResolvers<void>();
  const end = (): void => {
    greeted.resolve();
    socket.destroy();
    server?.destroy();
  };
  const finish = (stream: Stream): void => {
    if (!streams.delete(stream.id)) return;
    stream.passing.leave();
    stream.filter?.destroy();
    if (streams.size > 0) return;
    clearTimeout(quiet);
    quiet = setTimeout(end, limits.idleTimeoutMs);
  };
  const settle = (stream: Stream): void => {
    if (stream.requestEnded && stream.answerEnded) finish(stream);
  };
  const reset = (id: number, code: number): void => {
    const stream = streams.get(id);
    if (stream === undefined) return;
    inside.write(numberFrame(frameType.reset, id, code));
    outside?.write(numberFrame(frameType.reset, id, code));
    finish(stream);
  };

  async function onRequest(id: number, parts: HeaderParts | string, isEnd: boolean): Promise<void> {
    const refuse = (refusal: Refusal, isRecorded: boolean): void => {
      if (!isRecorded) inspection.onRefused(refusal.reason, refusal.code);
      refusals.refuse(id, refusal, isEnd);
    };
    const malformed = { status: 400, code: egressCodes.malformed } as const;
    if (typeof parts === 'string') return refuse({ ...malformed, reason: parts }, false);
    if (streams.size >= openStreams)
      return inside.write(numberFrame(frameType.reset, id, http2Error.refusedStream));
    const { pseudo, headers } = parts;
    const objection = http2Objection({ pseudo, headers }, target);
    if (objection !== null) return refuse({ ...objection, code: egressCodes.malformed }, false);
    const length = valuesOf(headers, 'content-length')[0];
    if (length !== undefined && !/^\d{1,15}$/.test(length))
      return refuse({ ...malformed, reason: 'its length is malformed' }, false);
    const ruling = await ruleRequest(
      inspection,
      {
        method: pseudo.get(':method') ?? '',
        path: pseudo.get(':path') ?? '',
        headers,
        hasBody: !isEnd && length !== '0',
        upgrade: false,
      },
      () => reset(id, http2Error.cancel),
    );
    if (ruling.kind === 'refuse') return refuse(ruling, true);
    if (outside === null) {
      ruling.leave();
      return refuse(failed ?? { status: 502, reason: 'the server is gone' }, true);
    }
    if (isEnd && Number(length ?? 0) > 0) {
      ruling.leave();
      return refuse({ ...malformed, reason: 'its length is not that of its body' }, false);
    }
    clearTimeout(quiet);
    streams.set(id, {
      id,
      passing: ruling,
      requestEnded: isEnd,
      answerEnded: false,
      answered: false,
      promised: length === undefined ? null : Number(length),
      got: 0,
      filter: null,
    });
    const named = [':method', ':scheme', ':authority'].flatMap((name) => [name, pseudo.get(name) ?? '']);
    writeHeaders(outside, id, [...named, ':path', ruling.path, ...withoutHost(ruling.headers)], isEnd);
  }

  async function onInsideHeaders(id: number, list: RawHeaders, isEnd: boolean): Promise<void> {
    const stream = streams.get(id);
    if (stream !== undefined) {
      const parts = partsOf(list, 'trailers');
      if (stream.requestEnded || !isEnd || typeof parts === 'string' || !isComplete(stream))
        return reset(id, http2Error.protocol);
      writeHeaders(outside!, id, parts.headers, true);
      stream.requestEnded = true;
      return settle(stream);
    }
    // Of a stream that was refused or reset.
    if (id <= lastStream) return;
    if (id % 2 === 0) throw new Http2Error(http2Error.protocol, 'a stream has a number of the server');
    lastStream = id;
    await greeted.promise;
    await onRequest(id, partsOf(list, 'request'), isEnd);
  }

  function onInsideData(got: Frame): void {
    const stream = streams.get(got.stream);
    const isEnd = (got.flags & frameFlag.endStream) !== 0;
    if (stream === undefined || stream.requestEnded) {
      if (got.stream > lastStream) throw new Http2Error(http2Error.protocol, 'data came before its headers');
      // The server never sees these bytes, so their credit is given back here.
      if (got.payload.length > 0) inside.write(numberFrame(frameType.window, 0, got.payload.length));
      return;
    }
    const bytes = unpadded(got);
    const padding = got.payload.length - bytes.length;
    if (padding > 0) giveBack(inside, got.stream, padding);
    stream.got += bytes.length;
    stream.requestEnded = isEnd;
    if (stream.promised !== null && (stream.got > stream.promised || (isEnd && !isComplete(stream))))
      return reset(got.stream, http2Error.protocol);
    if (padding === 0) outside!.write(plainData(got));
    else writeData(outside!, got.stream, bytes, isEnd);
    settle(stream);
  }

  function onAnswer(id: number, list: RawHeaders, isEnd: boolean): void {
    const stream = streams.get(id);
    if (stream === undefined) return;
    const { echo } = stream.passing;
    const parts = partsOf(list, stream.answered ? 'trailers' : 'response');
    if (typeof parts === 'string' || (stream.answered && !isEnd)) return reset(id, http2Error.protocol);
    const clean = echo === null ? null : withoutEcho(parts.headers, echo.forms);
    if (clean?.found === true) echo?.onFound();
    const headers = clean?.headers ?? parts.headers;
    if (stream.answered) {
      const write = (): void => {
        writeHeaders(inside, id, headers, true);
        endAnswer(stream);
      };
      if (stream.filter === null) return write();
      stream.filter.removeAllListeners('end').once('end', write).end();
      return;
    }
    const status = parts.pseudo.get(':status')!;
    if (status.startsWith('1')) {
      if (isEnd || status === '101') return reset(id, http2Error.protocol);
      return writeHeaders(inside, id, [':status', status, ...headers], false);
    }
    stream.answered = true;
    // Undoing an encoding would change how much credit a byte takes: such an answer is given up.
    const coding = echo === null ? null : decoderFor(valuesOf(headers, 'content-encoding').join());
    if (coding !== null || (echo !== null && hidesMessages(headers))) {
      outside?.write(numberFrame(frameType.reset, id, http2Error.cancel));
      const reason = 'the answer is encoded, so that it cannot be searched for the credential';
      refusals.refuse(id, { status: 502, reason }, stream.requestEnded);
      return finish(stream);
    }
    writeHeaders(inside, id, [':status', status, ...headers], isEnd);
    if (isEnd) return endAnswer(stream);
    if (echo === null) return;
    const filter = new EchoFilter(echo.forms, echo.onFound);
    filter.on('data', (bytes: Buffer) => writeData(inside, id, bytes, false));
    filter.once('end', () => {
      writeData(inside, id, Buffer.alloc(0), true);
      endAnswer(stream);
    });
    stream.filter = filter;
  }

  function endAnswer(stream: Stream): void {
    stream.answerEnded = true;
    settle(stream);
  }

  function onAnswerData(got: Frame): void {
    const stream = streams.get(got.stream);
    const isEnd = (got.flags & frameFlag.endStream) !== 0;
    if (stream === undefined || !stream.answered || stream.answerEnded) {
      if (got.payload.length > 0) outside!.write(numberFrame(frameType.window, 0, got.payload.length));
      return;
    }
    const bytes = unpadded(got);
    const padding = got.payload.length - bytes.length;
    if (padding > 0) giveBack(outside!, got.stream, padding);
    if (stream.filter !== null) {
      if (bytes.length > 0) stream.filter.write(bytes);
      if (isEnd) stream.filter.end();
      return;
    }
    if (padding === 0) inside.write(plainData(got));
    else writeData(inside, got.stream, bytes, isEnd);
    if (isEnd) endAnswer(stream);
  }

  /** What both directions have in common. */
  function onControl(got: Frame, from: Side, to: Side | null, toServer: boolean): void {
    switch (got.type) {
      case frameType.settings: {
        if (got.stream !== 0) throw new Http2Error(http2Error.protocol, 'settings have a stream');
        // Each side learns that its settings hold when the other side says so.
        if ((got.flags & frameFlag.ack) !== 0)
          return to?.write(frame(frameType.settings, frameFlag.ack, 0, Buffer.alloc(0)));
        const settings = readSettings(got.payload);
        if (settings.has(setting.tableSize)) from.forgetsTable = true;
        if (to === null) return from.write(frame(frameType.settings, frameFlag.ack, 0, Buffer.alloc(0)));
        to.write(settingsFrame(passedSettings(settings, toServer, limits.headerBytes)));
        if (!toServer) greeted.resolve();
        return;
      }
      case frameType.ping:
        if (got.payload.length !== 8) throw new Http2Error(http2Error.frameSize, 'a ping is malformed');
        if ((got.flags & frameFlag.ack) === 0)
          from.write(frame(frameType.ping, frameFlag.ack, 0, got.payload));
        return;
      case frameType.reset: {
        const stream = streams.get(got.stream);
        if (got.payload.length !== 4) throw new Http2Error(http2Error.frameSize, 'a reset is malformed');
        if (stream === undefined) return;
        to?.write(got.whole);
        return finish(stream);
      }
      case frameType.window: {
        if (got.payload.length !== 4) throw new Http2Error(http2Error.frameSize, 'a credit is malformed');
        const bytes = got.payload.readUInt32BE() & 0x7fff_ffff;
        if (got.stream === 0 && toServer) {
          const passed = refusals.credit(bytes);
          if (passed > 0) to?.write(numberFrame(frameType.window, 0, passed));
        } else if (got.stream === 0 || streams.has(got.stream)) to?.write(got.whole);
        return;
      }
      case frameType.push:
        throw new Http2Error(http2Error.protocol, 'pushes are not taken');
      case frameType.goaway:
        // Streams have the same numbers on both sides, so the last one it names is the client's, too.
        if (!toServer) to?.write(got.whole);
        return;
      default:
        return;
    }
  }

  const rulesInside = {
    headers: onInsideHeaders,
    data: onInsideData,
    control: (got: Frame) => onControl(got, inside, outside, true),
    decoder: fromInside,
  };
  const rulesOutside = {
    headers: async (id: number, list: RawHeaders, isEnd: boolean) => onAnswer(id, list, isEnd),
    data: onAnswerData,
    control: (got: Frame) => onControl(got, outside!, inside, false),
    decoder: fromOutside,
  };
  const drained = async (): Promise<void> => {
    await drain(socket);
    if (server !== null) await drain(server);
  };
  const begin = (): void => {
    if (server !== null) server.write(clientPreface);
    else {
      inside.write(settingsFrame(new Map([[setting.maxStreams, openStreams]])));
      greeted.resolve();
    }
  };
  const read = async (from: TLSSocket, rules: FrameRules, isClient: boolean): Promise<void> => {
    try {
      await readFrames(from, rules, isClient ? begin : null, drained);
    } catch (error) {
      const code = codeOf(error);
      if (isClient) inspection.onRefused('its HTTP/2 is malformed', egressCodes.malformed);
      if (!socket.destroyed) socket.end(goaway(lastStream, code));
      server?.destroy();
    }
    // What was written may still be on its way.
    if (isClient) end();
    else if (!socket.destroyed) socket.destroySoon();
  };
  socket.once('close', end);
  try {
    await Promise.all([
      read(socket, rulesInside, true),
      ...(server === null ? [] : [read(server, rulesOutside, false)]),
    ]);
  } finally {
    clearTimeout(quiet);
    for (const stream of streams.values()) finish(stream);
    clearTimeout(quiet);
  }
}

function isComplete({ promised, got }: Stream): boolean {
  return promised === null || promised === got;
}

function withoutHost(headers: RawHeaders): string[] {
  const kept: string[] = [];
  for (let at = 0; at + 1 < headers.length; at += 2) {
    const name = headers[at]!.toLowerCase();
    if (name !== 'host') kept.push(name, headers[at + 1]!);
  }
  return kept;
}

function codeOf(error: unknown): number {
  if (error instanceof Http2Error) return error.code;
  return error instanceof HpackError ? http2Error.compression : http2Error.internal;
}
