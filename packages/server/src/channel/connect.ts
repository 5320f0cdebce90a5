import type { Duplex } from 'node:stream';
import {
  dialUnixSocket,
  emptyShape,
  helloShape,
  insideRequestShape,
  Mux,
  noticeShape,
  parseJson,
  protocolVersion,
} from '@berth/protocol';
import type { DialledSocket, MuxStream, SandboxdHello, SandboxNotice } from '@berth/protocol';
import { BerthError } from '../domain/errors/index.ts';
import type { Clock } from '../domain/ports/clock.ts';
import { Channel } from './channel.ts';
import { networkOpenError, openNetworkIn } from './refusals.ts';
import { openStream, replyOf, resetWhenSilent } from './streams.ts';

export type ConnectOptions = OpenOptions &
  (
    | {
        /** sandboxd's unix socket. */
        readonly socketPath: string;
        readonly dial?: undefined;
      }
    | {
        /** Opens the byte stream to sandboxd, such as `dialTls`. */
        readonly dial: (signal: AbortSignal) => Promise<Duplex>;
        /**
         * Dial twice and let egress have the second connection, so that a packet lost in a download does not stall a command:
         * with 20 ms and 1 % loss an exec beside bulk took 46–58 ms over one connection and 28–30 over two (p90 73–137 and 41–51).
         */
        readonly secondConnection?: boolean;
        readonly socketPath?: undefined;
      }
  );

export interface OpenOptions {
  readonly sandboxId: string;
  readonly epoch: number;
  readonly clock: Clock;
  /** Gives up connecting; an open channel is ended by `close`. */
  readonly signal: AbortSignal;
  /** A connection from inside: opaque bytes on which the sandbox speaks HTTP proxy or SOCKS. Without it all are refused. */
  readonly onEgressStream?: (stream: Duplex) => void;
  readonly onNotice?: (notice: SandboxNotice) => void;
  /**
   * Asked when sandboxd missed two pings: whether the driver knows that it lives (the pod runs, its node is ready).
   * Rejecting counts as no.
   */
  readonly isSandboxAlive?: (signal: AbortSignal) => Promise<boolean>;
  /** Tests shorten it. */
  readonly pingEveryMs?: number;
}

/**
 * Connects to a sandboxd.
 * @throws BerthError `SANDBOX_UNREACHABLE` when nobody answers, `SANDBOX_TAKEN_OVER` when a higher epoch owns it
 */
export async function connectChannel(options: ConnectOptions): Promise<Channel> {
  options.signal.throwIfAborted();
  if (options.dial !== undefined) {
    const channel = await openChannel(await options.dial(options.signal), options);
    if (options.secondConnection === true) await carryEgressApart(channel, options.dial, options);
    return channel;
  }
  const { socket, feed } = await dialUnix(options.socketPath, options.signal);
  return await openChannel(socket, options, feed);
}

/** sandboxd hands egress to the owner's latest connection; without a second one, or when it ends, the first has it all. */
async function carryEgressApart(
  channel: Channel,
  dial: (signal: AbortSignal) => Promise<Duplex>,
  { onNotice: _, ...options }: OpenOptions,
): Promise<void> {
  try {
    const second = await openChannel(await dial(options.signal), options);
    void channel.closed.then(({ reason }) => second.close(reason));
  } catch {
    options.signal.throwIfAborted();
  }
}

/** Opens a channel over any byte stream to a sandboxd. */
export async function openChannel(
  transport: Duplex,
  options: OpenOptions,
  feed?: DialledSocket['feed'],
): Promise<Channel> {
  let hello: SandboxdHello | null = null;
  const mux = new Mux(transport, {
    side: 'odd',
    time: options.clock,
    ...(feed === undefined ? {} : { feed }),
    ...(options.isSandboxAlive === undefined ? {} : { isPeerAlive: options.isSandboxAlive }),
    ...(options.pingEveryMs === undefined ? {} : { pingEveryMs: options.pingEveryMs }),
    hello: { role: 'worker', protocol: protocolVersion, sandbox: options.sandboxId, epoch: options.epoch },
    onHello: (payload) => {
      const said = parseJson(payload, helloShape, 'hello');
      if (said.role !== 'sandboxd') throw new Error('not a sandboxd');
      if (said.sandbox !== options.sandboxId) throw new Error('another sandbox answered');
      hello = said;
    },
    onOpen: (stream, payload) => {
      parseJson(payload, insideRequestShape, 'request');
      if (options.onEgressStream === undefined) stream.reset('refused');
      else options.onEgressStream(stream);
    },
  });
  const stop = (): void => mux.close('the worker gave up');
  options.signal.addEventListener('abort', stop, { once: true });
  try {
    const events = openStream(mux, { m: 'events' });
    events.end();
    const release = resetWhenSilent(events, options.clock, helloWithinMs);
    await replyOf(events, emptyShape).finally(release);
    followNotices(events, options.onNotice);
  } catch (error) {
    options.signal.throwIfAborted();
    mux.close('no answer');
    const { reason } = await mux.closed;
    const reached = openNetworkIn(reason);
    if (reached !== null) throw networkOpenError(reached, error);
    const code = reason.includes('owns this sandbox') ? 'SANDBOX_TAKEN_OVER' : 'SANDBOX_UNREACHABLE';
    throw new BerthError(code, undefined, { cause: error, details: { reason } });
  } finally {
    options.signal.removeEventListener('abort', stop);
  }
  if (hello === null) throw new BerthError('SANDBOX_UNREACHABLE');
  return new Channel({ mux, clock: options.clock }, hello);
}

async function dialUnix(socketPath: string, signal: AbortSignal): Promise<DialledSocket> {
  try {
    return await dialUnixSocket(socketPath, signal);
  } catch (error) {
    signal.throwIfAborted();
    throw new BerthError('SANDBOX_UNREACHABLE', undefined, { cause: error });
  }
}

/** A sandboxd that says HELLO and then nothing is no sandboxd; a starved one may take a few seconds. */
const helloWithinMs = 30_000;

/** Lines longer than this are no notices. */
const longestNotice = 4096;

function followNotices(stream: MuxStream, onNotice: OpenOptions['onNotice']): void {
  let pending = '';
  stream.on('data', (chunk: Buffer) => {
    const lines = (pending + chunk.toString('utf8')).split('\n');
    pending = lines.pop() ?? '';
    try {
      if (pending.length > longestNotice) throw new Error('a notice without end');
      for (const line of lines) onNotice?.(noticeShape(JSON.parse(line), 'notice'));
    } catch {
      // Notices only inform; a sandbox that garbles them loses them.
      stream.destroy();
    }
  });
}
