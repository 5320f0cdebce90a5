import { sql } from 'kysely';
import { createApi } from '../api/create-api.ts';
import { listenApi } from '../api/listen-api.ts';
import { socketPathOf } from '../api/socket-path.ts';
import type { ControlPlane } from '../domain/ports/control-plane.ts';
import type { Database } from '../store/database.ts';
import type { Foundation } from './foundation.ts';

/** The API while it answers. */
export interface ApiPart {
  readonly socketPath: string;
  stop(): Promise<void>;
}

/** Answers requests over the control plane. */
export async function startApiPart(foundation: Foundation, controlPlane: ControlPlane): Promise<ApiPart> {
  const { db, home } = foundation;
  const app = createApi(controlPlane, { ready: () => ready(db) });
  const socketPath = await listenApi(app, { socketPath: socketPathOf(home) });
  return { socketPath, stop: () => app.close() };
}

/** Throws while the database does not answer. */
async function ready(db: Database): Promise<void> {
  await sql`select 1`.execute(db.sql);
}
