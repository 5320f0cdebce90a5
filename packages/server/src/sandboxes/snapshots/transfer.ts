import { randomUUID } from 'node:crypto';
import { pipeline } from 'node:stream/promises';
import { constants, createZstdCompress, createZstdDecompress } from 'node:zlib';
import type { Blobs } from '../../domain/ports/blobs.ts';
import type { Sandbox } from '../../domain/ports/sandbox.ts';
import { streamFromSandbox, streamIntoSandbox } from '../../git/sandbox-stream.ts';
import { makeScript, restoreScript, withOwnPrograms } from './scripts.ts';
import type { KeptSnapshot } from './source.ts';
import { withoutPlaceholders } from './without-placeholders.ts';
import { guardTar, type TarCount, type TarLimits } from './tar-guard.ts';

/** How the ids of calls begin that make or restore one. */
export const snapshotCalls = 'snapshot-';

export const snapshotLimits: TarLimits = { maxBytes: 2 * 1024 ** 3, maxFiles: 1_000_000 };

/** An agent waits while one is made: what takes longer is given up, and setup runs the next time. */
const makeWithinMs = 120_000;
const restoreWithinMs = 300_000;

interface Transfer {
  readonly blobs: Blobs;
  readonly signal: AbortSignal;
  readonly limits?: TarLimits;
}

/**
 * Takes what setup made out of a sandbox and puts it, compressed, into the blob store.
 * @param base the commit the sandbox was filled from
 * @throws BerthError `SNAPSHOT_*`, `SANDBOX_*`
 */
export async function takeSnapshot(
  sandbox: Sandbox,
  base: string,
  { blobs, signal, limits = snapshotLimits }: Transfer,
): Promise<KeptSnapshot & { readonly storedBytes: number }> {
  const count: TarCount = { files: 0, bytes: 0 };
  const output = streamFromSandbox(sandbox, {
    id: `${snapshotCalls}${randomUUID()}`,
    script: withOwnPrograms,
    args: [makeScript, base],
    cwd: 'repo',
    timeoutMs: makeWithinMs,
    maxOutputBytes: limits.maxBytes + 2 * 1024 * 1024,
    signal: AbortSignal.any([signal, AbortSignal.timeout(makeWithinMs + 5_000)]),
  });
  // Level 1 keeps up with the channel; higher ones would make the agent wait for a few per cent.
  const compress = createZstdCompress({ params: { [constants.ZSTD_c_compressionLevel]: 1 } });
  const packing = pipeline(withoutPlaceholders(guardTar(output, limits, count)), compress);
  // Awaited below; a failure is heard through `compress` first.
  packing.catch(() => undefined);
  let storedBytes = 0;
  const packed = async function* (): AsyncGenerator<Uint8Array> {
    for await (const chunk of compress as AsyncIterable<Buffer>) {
      storedBytes += chunk.length;
      yield chunk;
    }
    // Nothing is stored of a stream that did not end well.
    await packing;
  };
  const blob = await blobs.put(packed());
  return { blob, ...count, storedBytes };
}

/**
 * Puts a snapshot into a sandbox that was just filled from a commit. It is checked again on its way in: what the store
 * gives back counts for no more than what a sandbox once gave.
 * @throws BerthError `SNAPSHOT_*`, `SANDBOX_*`, `BLOB_MISSING`: part of it may lie in the sandbox
 */
export async function putSnapshot(
  sandbox: Sandbox,
  kept: KeptSnapshot,
  { blobs, signal }: Transfer,
): Promise<void> {
  const count: TarCount = { files: 0, bytes: 0 };
  const unpack = createZstdDecompress();
  const reading = pipeline(blobs.stream(kept.blob), unpack);
  reading.catch(() => undefined);
  const tar = async function* (): AsyncGenerator<Uint8Array> {
    yield* guardTar(unpack as AsyncIterable<Buffer>, { maxBytes: kept.bytes, maxFiles: kept.files }, count);
    await reading;
  };
  try {
    await streamIntoSandbox(
      sandbox,
      {
        id: `${snapshotCalls}${randomUUID()}`,
        script: withOwnPrograms,
        args: [restoreScript],
        cwd: 'repo',
        timeoutMs: restoreWithinMs,
        maxOutputBytes: 1024 * 1024,
        signal: AbortSignal.any([signal, AbortSignal.timeout(restoreWithinMs + 5_000)]),
      },
      tar(),
    );
  } finally {
    unpack.destroy();
  }
}
