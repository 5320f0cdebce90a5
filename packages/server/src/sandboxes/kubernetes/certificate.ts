import type { PinnedCertificate } from '../../channel/sandboxd-certificate.ts';
import { readCertificateLine } from '../../channel/sandboxd-certificate.ts';
import { BerthError } from '../../domain/errors/index.ts';
import type { Clock } from '../../domain/ports/clock.ts';
import { ApiFailure, clusterError, coldMs, isTransient, mayBeCold } from './api-failure.ts';
import type { PodClient } from './client.ts';
import { containerNames } from './pod-spec.ts';

/** A certificate line has about 500 characters. */
const longestLine = 4_096;
/** Between two looks at a log that has nothing yet; 20 ms, as a line is there some 50 ms after its container runs. */
const firstLookMs = 20;
const longestLookMs = 1_000;

/**
 * Reads who sandboxd says it is: the first line of its container's log. A container that has no log yet, or none any
 * more, is asked again until the signal says stop; a line that is not whole does not count: a runtime that has lost the
 * log answers with a text of its own, without an end of line.
 * @param podUid of the pod as it was made: a certificate that names another is refused
 * @throws BerthError `SANDBOX_CERTIFICATE`; the signal's reason
 */
export async function readCertificate(options: {
  readonly client: Pick<PodClient, 'followLog'>;
  readonly clock: Clock;
  readonly podName: string;
  readonly podUid: string;
  readonly signal: AbortSignal;
}): Promise<PinnedCertificate> {
  const { client, clock, podName, podUid, signal } = options;
  let coldSinceMs: number | null = null;
  for (let waitMs = firstLookMs; ; waitMs = Math.min(waitMs * 2, longestLookMs)) {
    signal.throwIfAborted();
    try {
      const line = await firstLine(client, podName, signal);
      if (line !== null) return checked(readCertificateLine(line), podUid);
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof BerthError) throw error;
      const isCold = error instanceof ApiFailure && mayBeCold(error);
      if (isCold) coldSinceMs ??= clock.monotonicMs();
      if (isCold && clock.monotonicMs() - coldSinceMs! > coldMs) throw clusterError(error);
      if (error instanceof ApiFailure && !isCold && !isTransient(error)) throw clusterError(error);
    }
    await clock.sleep(waitMs, signal);
  }
}

function checked(pinned: PinnedCertificate, podUid: string): PinnedCertificate {
  if (pinned.podUid === podUid) return pinned;
  throw new BerthError('SANDBOX_CERTIFICATE', 'The certificate in the log of sandboxd names another pod.');
}

async function firstLine(
  client: Pick<PodClient, 'followLog'>,
  podName: string,
  signal: AbortSignal,
): Promise<string | null> {
  const done = new AbortController();
  try {
    const chunks = await client.followLog(
      podName,
      containerNames.sandboxd,
      AbortSignal.any([signal, done.signal]),
    );
    let text = '';
    for await (const chunk of chunks ?? []) {
      text += chunk;
      const end = text.indexOf('\n');
      if (end !== -1) return text.slice(0, end);
      if (text.length > longestLine)
        throw new BerthError('SANDBOX_CERTIFICATE', 'The log of sandboxd does not begin with a certificate.');
    }
    return null;
  } finally {
    done.abort(new Error('the first line is read'));
  }
}
