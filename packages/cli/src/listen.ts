import { failure } from './failure.ts';
import { durationMs } from './limits.ts';

const defaultListen = { host: '127.0.0.1', port: 7420 } as const;

/** Where to listen by `--listen` and `--port`; null: nothing was said. */
export function listenFlags(flags: {
  readonly listen?: string;
  readonly port?: string;
}): { readonly host: string; readonly port: number } | null {
  const given = flags.listen === undefined ? null : parseListen(flags.listen);
  if (flags.port === undefined) return given;
  return { host: given?.host ?? defaultListen.host, port: portOf(flags.port) };
}

/** `host:port`, IPv6 in brackets. @throws ApiFailure `USAGE` */
function parseListen(text: string): { host: string; port: number } {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^:\s[\]]+)):(\d{1,5})$/.exec(text.trim());
  const host = match?.[1] ?? match?.[2];
  if (host === undefined) {
    throw failure('USAGE', `--listen ${text} is not host:port.`, 'For example --listen 127.0.0.1:7420.');
  }
  return { host, port: portOf(match?.[3] ?? '') };
}

function portOf(text: string): number {
  const port = Number(text);
  if (!/^\d{1,5}$/.test(text) || port > 65_535) {
    throw failure('USAGE', `${JSON.stringify(text)} is no port.`, 'A port is a number up to 65535.');
  }
  return port;
}

/** `--stop-timeout`; nothing said: the server's own. @throws ApiFailure `USAGE` */
export function stopTimeoutFlag(text: string | undefined): { readonly stopTimeoutMs?: number } {
  if (text === undefined) return {};
  const stopTimeoutMs = durationMs(text);
  if (stopTimeoutMs === null) throw failure('USAGE', `--stop-timeout ${text} is no duration.`, 'Like 25s.');
  return { stopTimeoutMs };
}

/** A whole number above 0. @throws ApiFailure `USAGE` */
export function countFlag(name: string, text: string): number {
  if (!/^[1-9]\d{0,4}$/.test(text)) throw failure('USAGE', `--${name} ${text} is no number above 0.`);
  return Number(text);
}
