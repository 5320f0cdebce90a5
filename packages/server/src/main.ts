import { asBerthError } from './domain/errors/index.ts';
import { controlPlaneOn } from './start/control-plane.ts';
import { layFoundation } from './start/foundation.ts';
import { internalOf, openInternalDoor, terminalsOf, viewersHub } from './start/internal-part.ts';
import { listenOf } from './start/listen-of.ts';
import { processHealth } from './start/health.ts';
import { openHealthDoor } from './start/health-door.ts';
import type { RunningServer, StartServerOptions } from './start/options.ts';
import { stopInTime } from './start/stop.ts';
import { startWorkerPart } from './start/worker-part.ts';

export type { RunningServer, ServerPart, StartServerOptions } from './start/options.ts';

/**
 * Puts the rooms together and starts them. The one place where implementations meet, in parts: `start/foundation.ts`
 * (database, secrets, driver, forge, log), `start/control-plane.ts`, `start/api-part.ts`, `start/worker-part.ts`.
 */
export async function startServer(options: StartServerOptions): Promise<RunningServer> {
  const stopping = new AbortController();
  // A fifth of all modules: not needed by a worker alone, and otherwise loaded while the database starts.
  const apiPart = options.parts.includes('api') ? import('./start/api-part.ts') : null;
  apiPart?.catch(() => undefined);
  const foundation = await layFoundation(options, stopping.signal);
  const { log, clock } = foundation;
  const undo: (() => Promise<void>)[] = [
    () => foundation.db.close(),
    () => foundation.config.close(),
    () => foundation.audit.stop(),
  ];
  const health = processHealth(foundation, options.parts);
  const stop = (): Promise<void> => {
    health.stopping();
    return stopInTime(undo, stopping, { clock, log, timeoutMs: options.stopTimeoutMs });
  };
  log.info('starting', { parts: options.parts.join(','), database: foundation.db.kind });
  try {
    const internal = await internalOf(foundation);
    const controlPlane = controlPlaneOn(foundation, viewersHub(foundation, internal));
    // First, so that of two servers that start at once only one works.
    let socketPath = '';
    let url: string | null = null;
    let signInLink: RunningServer['signInLink'] = async () => null;
    if (apiPart !== null) {
      const { startApiPart } = await apiPart;
      const terminals = terminalsOf(foundation, internal);
      const api = await startApiPart(foundation, controlPlane, options, { health, log, terminals });
      ({ socketPath, url } = api);
      signInLink = () => api.signInLink();
      undo.push(() => api.stop());
    }
    if (options.parts.includes('worker')) {
      const door = internal === null ? null : await openInternalDoor(foundation, internal, health);
      if (door !== null) undo.push(() => door.close());
      const announce = (workerId: string): string | null => door?.announce(workerId) ?? null;
      const worker = startWorkerPart(foundation, options, announce, controlPlane);
      health.worker(() => worker.status());
      undo.push(() => worker.stop());
      const listen = listenOf(options, foundation);
      if (listen !== null && !options.parts.includes('api')) {
        const healthDoor = await openHealthDoor(listen, health);
        ({ url } = healthDoor);
        undo.unshift(() => healthDoor.close());
      }
    }
    log.info('ready', { parts: options.parts.join(','), url, socket: socketPath });
    return { socketPath, url, controlPlane, health, signInLink, stop };
  } catch (error) {
    // Whoever started it is told as well, with what to do.
    log.info('start failed', { code: asBerthError(error).code });
    await stop();
    throw error;
  }
}
