import { readFileSync } from 'node:fs';
import { podUidPattern } from '@berth/protocol';
import { required } from '../arguments.ts';
import { parseGate } from '../gate-spec.ts';
import type { NetworkGate } from '../gate-spec.ts';
import { makeOwnCertificate } from './own-certificate.ts';
import type { TlsListenerOptions } from './tls-listener.ts';
import { readChannelKey } from './worker-certificate.ts';

export type PodOption =
  | 'listen'
  | 'channel-key'
  | 'pod-uid'
  | 'pod-uid-env'
  | 'pod-uid-file'
  | 'drop-local'
  | 'epoch'
  | 'gate';

type Option = (name: PodOption) => string | undefined;

/** What sandboxd needs to listen on TCP; null without `--listen`. @throws Error for anything missing or malformed */
export function readTlsOptions(option: Option): Omit<TlsListenerOptions, 'onWorker' | 'onRefused'> | null {
  const listen = option('listen');
  if (listen === undefined) return null;
  const match = /^(?:\[([0-9a-fA-F:]+)\]|([0-9a-zA-Z.-]+)):(\d{1,5})$/.exec(listen);
  if (match === null) throw new Error('--listen: expected HOST:PORT');
  const podUid = readPodUid(option);
  const dropLocal = required(option('drop-local'), 'drop-local');
  if (dropLocal !== 'yes' && dropLocal !== 'no') throw new Error('--drop-local: expected yes or no');
  return {
    host: match[1] ?? match[2]!,
    port: Number(match[3]),
    certificate: makeOwnCertificate(podUid),
    channelKey: readChannelKey(required(option('channel-key'), 'channel-key')),
    podUid,
    dropLocal: dropLocal === 'yes',
  };
}

function readPodUid(option: Option): string {
  const [variable, file] = [option('pod-uid-env'), option('pod-uid-file')];
  const uid =
    option('pod-uid') ??
    (variable === undefined ? undefined : process.env[variable]) ??
    (file === undefined ? undefined : readFileSync(file, 'utf8').trim());
  if (uid === undefined || !podUidPattern.test(uid)) throw new Error('the UID of this pod is missing');
  return uid;
}

/** `--epoch`, or 0. */
export function readEpoch(option: Option): number {
  const epoch = Number(option('epoch') ?? '0');
  if (!Number.isSafeInteger(epoch) || epoch < 0) throw new Error('--epoch: expected a number');
  return epoch;
}

/** `--gate`: JSON, or the name of a file with it. */
export function readGate(option: Option): NetworkGate | null {
  const given = option('gate');
  if (given === undefined) return null;
  return parseGate(given.startsWith('{') ? given : readFileSync(given, 'utf8'));
}
