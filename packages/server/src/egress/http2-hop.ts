import type { TLSSocket } from 'node:tls';
import { type Frame, frameFlag, frameType, numberFrame, setting } from './http2-frames.ts';
import type { Side } from './http2-streams.ts';

/** Streams open at once on one connection. Browsers and gRPC clients open tens. */
export const openStreams = 100;
/** How frames are written to one end. */
export function sideOf(socket: TLSSocket): Side {
  return {
    forgetsTable: false,
    write(bytes) {
      if (!socket.destroyed && !socket.writableEnded) socket.write(bytes);
    },
  };
}

/** The settings of one side as the other is told. What concerns this hop alone stays here. */
export function passedSettings(
  settings: ReadonlyMap<number, number>,
  toServer: boolean,
  headerBytes: number,
): Map<number, number> {
  const passed = new Map<number, number>();
  const window = settings.get(setting.initialWindow);
  if (window !== undefined) passed.set(setting.initialWindow, window);
  if (toServer) passed.set(setting.push, 0);
  else passed.set(setting.maxStreams, Math.min(settings.get(setting.maxStreams) ?? openStreams, openStreams));
  passed.set(
    setting.maxHeaderList,
    Math.min(settings.get(setting.maxHeaderList) ?? headerBytes, headerBytes),
  );
  return passed;
}

/** A frame of data whose unknown flags are not passed on. */
export function plainData({ whole, flags }: Frame): Buffer {
  whole[4] = flags & frameFlag.endStream;
  return whole;
}

/** Credit for bytes that go no further. */
export function giveBack(side: Side, stream: number, bytes: number): void {
  side.write(numberFrame(frameType.window, 0, bytes));
  side.write(numberFrame(frameType.window, stream, bytes));
}
