import { startApiPart } from './start/api-part.ts';
import { controlPlaneOn } from './start/control-plane.ts';
import { layFoundation } from './start/foundation.ts';
import type { RunningServer, StartServerOptions } from './start/options.ts';
import { startWorkerPart } from './start/worker-part.ts';

export type { RunningServer, ServerPart, StartServerOptions } from './start/options.ts';

/**
 * Puts the rooms together and starts them. The one place where implementations meet, in parts: `start/foundation.ts`
 * (database, secrets, driver, forge), `start/control-plane.ts`, `start/api-part.ts`, `start/worker-part.ts`.
 */
export async function startServer(options: StartServerOptions): Promise<RunningServer> {
  const stopping = new AbortController();
  const foundation = await layFoundation(options, stopping.signal);
  const undo: (() => Promise<void>)[] = [() => foundation.db.close()];
  try {
    const controlPlane = controlPlaneOn(foundation);
    // First, so that of two servers that start at once only one works.
    let socketPath = '';
    if (options.parts.includes('api')) {
      const api = await startApiPart(foundation, controlPlane);
      socketPath = api.socketPath;
      undo.push(() => api.stop());
    }
    if (options.parts.includes('worker')) {
      const worker = startWorkerPart(foundation, options);
      undo.push(() => worker.stop());
    }
    return { socketPath, controlPlane, stop: () => stop(undo, stopping) };
  } catch (error) {
    await stop(undo, stopping);
    throw error;
  }
}

/** Last started, first stopped; the signal last, so that hand-overs can still be written. */
async function stop(undo: (() => Promise<void>)[], stopping: AbortController): Promise<void> {
  for (const act of undo.splice(0).toReversed()) await act().catch(() => undefined);
  stopping.abort();
}
