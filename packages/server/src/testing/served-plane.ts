import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { FastifyInstance } from 'fastify';
import { createApi } from '../api/create-api.ts';
import { listenApi } from '../api/listen-api.ts';
import type { ApiOptions } from '../api/options.ts';
import type { ControlPlane } from '../domain/ports/control-plane.ts';
import { LocalForge } from '../forges/local/local-forge.ts';
import { createControlPlane } from '../runs/control-plane.ts';
import { diffOf } from '../runs/equip/proposals.ts';
import { knownMirror, runRepository } from '../runs/equip/repository.ts';
import { liveHub } from '../runs/live-hub.ts';
import type { Database } from '../store/database.ts';

export interface ServedPlane {
  readonly plane: ControlPlane;
  readonly app: FastifyInstance;
  readonly socketPath: string;
  readonly home: string;
  get(path: string, headers?: Record<string, string>): ReturnType<ServedPlane['send']>;
  send(
    method: 'GET' | 'POST' | 'HEAD',
    path: string,
    body?: object,
    headers?: Record<string, string>,
  ): Promise<{ status: number; headers: Record<string, unknown>; text: string; json(): unknown }>;
  close(): Promise<void>;
}

/** The real control plane over a real database, behind the real API on a unix socket. Nothing moves its runs. */
export async function servePlane(db: Database, options: ApiOptions = {}): Promise<ServedPlane> {
  const home = mkdtempSync(join(tmpdir(), 'berth-served-'));
  const { signal } = new AbortController();
  const plane = createControlPlane({
    db,
    hub: liveHub(),
    redact: (value) => value,
    checkedRepository: async (repository) => repository,
    forgeOf: async (projectId) => new LocalForge({ home, projectId, mirror: null, clock: db.clock, signal }),
    mirrorOf: (repository, stop) => knownMirror(home, repository, stop),
    diffOf: (state) =>
      diffOf(
        state,
        runRepository(home, state.created?.repository ?? '', signal, () => true),
        db.blobs,
        signal,
      ),
    doctor: async () => ({ schema: 'berth.doctor/v1', ok: true, checks: [] }),
  });
  const app = createApi(plane, { principal: 'tester', ...options });
  const socketPath = await listenApi(app, { socketPath: join(home, 'api.sock') });
  const send: ServedPlane['send'] = async (method, path, body, headers = {}) => {
    const answer = await app.inject({
      method,
      url: `/api/v1${path}`,
      headers,
      ...(body === undefined ? {} : { payload: body }),
    });
    return {
      status: answer.statusCode,
      headers: answer.headers,
      text: answer.body,
      json: () => answer.json() as unknown,
    };
  };
  return {
    plane,
    app,
    socketPath,
    home,
    send,
    get: (path, headers) => send('GET', path, undefined, headers),
    async close() {
      await app.close();
      rmSync(home, { recursive: true, force: true });
    },
  };
}
