import type { WebSocket } from 'ws';
import type { Dial } from '../internal/dial.ts';
import type { InternalRoute } from '../internal/listener.ts';
import type { LiveFrame } from '../domain/live.ts';
import type { Clock } from '../domain/ports/clock.ts';
import type { RunOwner } from '../store/runs/find-owner.ts';
import type { LiveHub } from './live-hub.ts';
import type { OwnedRuns } from './owned-runs.ts';

export const framesPath = '/internal/v1/frames';
/** Between two looks for the owner of a run that has none in reach. */
const lookMs = 1_000;
/** A log that grows quickly must not make as many lookups. */
const shortestMs = 200;
/** An API replica that is so far behind misses frames; settled events replace them. */
const frameBacklogBytes = 256 * 1024;

/** Serves the live frames of an owned run to an API replica, for as long as this process owns it with this epoch. */
export function framesRoute(hub: LiveHub, owned: OwnedRuns): InternalRoute {
  return (socket, query) => {
    const run = owned.get(query.get('run') ?? '');
    if (run === null || String(run.epoch) !== query.get('epoch')) {
      socket.close(4404, 'not owned here');
      return;
    }
    const stop = hub.watch(run.runId, (frame) => {
      if (socket.bufferedAmount < frameBacklogBytes) socket.send(JSON.stringify(frame));
    });
    const end = (): void => socket.close(4410, 'let go of');
    run.signal.addEventListener('abort', end, { once: true });
    socket.once('close', () => {
      stop();
      run.signal.removeEventListener('abort', end);
    });
  };
}

export interface RemoteHubParts {
  /** Frames of the runs that this process owns. */
  readonly local: LiveHub;
  readonly owned: OwnedRuns;
  findOwner(runId: string): Promise<RunOwner | null>;
  readonly dial: Dial;
  readonly clock: Clock;
  /** Called when a run's log has grown: a take-over is an entry of it. */
  listen(runId: string, wake: () => void): () => void;
}

/**
 * A hub that also has the frames of runs which other processes own: one stream per watched run, opened to its owner
 * and opened anew after a take-over. Frames of this process's own runs do not leave it.
 */
export function remoteHub(parts: RemoteHubParts): LiveHub {
  const { local } = parts;
  const remote = new Map<string, { watchers: number; readonly leave: AbortController }>();
  return {
    publish: (runId, frame, prepare) => local.publish(runId, frame, prepare),
    watch(runId, onFrame) {
      const stop = local.watch(runId, onFrame);
      const entry = remote.get(runId) ?? { watchers: 0, leave: new AbortController() };
      entry.watchers += 1;
      if (entry.watchers === 1) {
        remote.set(runId, entry);
        void bring(runId, entry.leave.signal, parts);
      }
      let isWatching = true;
      return () => {
        if (!isWatching) return;
        isWatching = false;
        stop();
        entry.watchers -= 1;
        if (entry.watchers > 0) return;
        entry.leave.abort();
        remote.delete(runId);
      };
    },
  };
}

/** Brings the frames of a run here, from whoever owns it, until nobody watches any more. Never rejects. */
async function bring(runId: string, signal: AbortSignal, parts: RemoteHubParts): Promise<void> {
  while (!signal.aborted) {
    try {
      const owner = await parts.findOwner(runId);
      if (owner?.address != null && parts.owned.get(runId) === null) {
        await bringFrom(runId, owner.address, owner, signal, parts);
      }
    } catch {
      // Nobody there, or not yet: looked for again below.
    }
    await pause(runId, signal, parts);
  }
}

async function bringFrom(
  runId: string,
  address: string,
  owner: RunOwner,
  signal: AbortSignal,
  { dial, local }: RemoteHubParts,
): Promise<void> {
  const query = { run: runId, epoch: String(owner.epoch) };
  const socket = await dial(address, { role: 'worker', id: owner.worker }, framesPath, query, signal);
  socket.on('message', (data: Buffer, isBinary) => {
    const frame = isBinary ? null : frameOf(data);
    if (frame !== null) local.publish(runId, frame);
  });
  await closed(socket);
}

function closed(socket: WebSocket): Promise<void> {
  return new Promise((resolve) => {
    if (socket.readyState === socket.CLOSED) resolve();
    else socket.once('close', () => resolve());
  });
}

/** Until the run's log grows, or a while has passed. */
async function pause(runId: string, signal: AbortSignal, parts: RemoteHubParts): Promise<void> {
  const woken = new AbortController();
  const stop = parts.listen(runId, () => woken.abort());
  await parts.clock.sleep(shortestMs, signal).catch(() => undefined);
  await parts.clock.sleep(lookMs, AbortSignal.any([signal, woken.signal])).catch(() => undefined);
  stop();
}

function frameOf(data: Buffer): LiveFrame | null {
  try {
    return JSON.parse(data.toString()) as LiveFrame;
  } catch {
    return null;
  }
}
