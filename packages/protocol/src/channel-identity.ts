/** How a worker's certificate names the pod it is for, and the epoch it may speak with. */
export function workerUri(podUid: string, epoch: number): string {
  return `urn:berth:channel-worker:${podUid}:${epoch}`;
}

/** How sandboxd's certificate names its pod. */
export function sandboxdUri(podUid: string): string {
  return `urn:berth:channel-sandboxd:${podUid}`;
}

/** A pod UID, or what stands for it where there are no pods. */
export const podUidPattern = /^[A-Za-z0-9][A-Za-z0-9-]{0,63}$/;

const workerName = /^URI:urn:berth:channel-worker:([A-Za-z0-9][A-Za-z0-9-]{0,63}):(0|[1-9]\d{0,15})$/;
const sandboxdName = /^URI:urn:berth:channel-sandboxd:([A-Za-z0-9][A-Za-z0-9-]{0,63})$/;

/** What a worker's certificate names, from its `subjectAltName` as Node prints it; null when it is none of ours. */
export function readWorkerName(
  subjectAltName: string | undefined,
): { readonly podUid: string; readonly epoch: number } | null {
  const match = workerName.exec(subjectAltName ?? '');
  const epoch = Number(match?.[2]);
  return match === null || !Number.isSafeInteger(epoch) ? null : { podUid: match[1]!, epoch };
}

/** The pod in sandboxd's certificate, from its `subjectAltName` as Node prints it; null when it is none of ours. */
export function readSandboxdName(subjectAltName: string | undefined): string | null {
  return sandboxdName.exec(subjectAltName ?? '')?.[1] ?? null;
}

/**
 * The first line of sandboxd's log where it listens on TCP: this word, a space and its certificate (DER, base64).
 * The rest of the log is for people.
 */
export const certificateLineWord = 'berth-sandboxd/1';

/** How long a TLS hand-shake may take, on either side. */
export const handshakeMs = 5_000;

/** Clocks of two machines may differ by this much in either direction. */
export const clockSkewMs = 2 * 60_000;

/** The longest validity of a worker's certificate that sandboxd believes. */
export const longestIdentityMs = 15 * 60_000;
