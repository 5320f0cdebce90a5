import type { KeyObject } from 'node:crypto';
import { join } from 'node:path';
import { parseListen } from '../api/listen-address.ts';
import { BerthError } from '../domain/errors/index.ts';
import { newId } from '../domain/ids.ts';
import type { Health } from '../domain/ports/health.ts';
import type { Terminals } from '../domain/ports/terminal.ts';
import { type Authority, createAuthority } from '../internal/authority.ts';
import { deriveSecret } from '../internal/derive-secret.ts';
import { type Dial, dialAs } from '../internal/dial.ts';
import { readInternalKey } from '../internal/internal-key.ts';
import { type InternalListener, listenInternally } from '../internal/listener.ts';
import type { LiveHub } from '../runs/live-hub.ts';
import { framesPath, framesRoute, remoteHub } from '../runs/remote-hub.ts';
import { createTerminals } from '../runs/terminals/terminals.ts';
import { terminalPath, terminalRoute } from '../runs/terminals/wire.ts';
import { findOwner } from '../store/runs/find-owner.ts';
import type { Foundation } from './foundation.ts';

/** The way to the other processes of this installation. */
export interface Internal {
  readonly authority: Authority;
  readonly dial: Dial;
}

/**
 * Whether other processes may share the runs of this one: over a PostgreSQL of its own, or where an internal address was
 * asked for. A process with the embedded database has everything in itself.
 */
export async function internalOf({ home, env, clock, db }: Foundation): Promise<Internal | null> {
  if (db.kind === 'embedded' && (env['BERTH_INTERNAL_LISTEN'] ?? '') === '') return null;
  const key = await internalKeyOf(home, env);
  const authority = createAuthority(key, clock);
  // A name like any other id: an API replica has no lease, and none is asked of it.
  return { authority, dial: dialAs(authority, { role: 'api', id: newId('w', clock.nowMs()) }) };
}

function internalKeyOf(home: string, env: NodeJS.ProcessEnv): Promise<KeyObject> {
  const given = env['BERTH_INTERNAL_KEY'] ?? '';
  return given === ''
    ? readInternalKey(join(home, 'keys', 'internal.key'), true)
    : readInternalKey(given, false);
}

/** From which the authorities of sandboxes follow, alike in all processes that may take one over. */
export async function authoritySeedOf(home: string, env: NodeJS.ProcessEnv): Promise<Uint8Array> {
  return deriveSecret(await internalKeyOf(home, env), 'egress authorities');
}

/** The hub that viewers watch: with frames of runs that other processes own, where there are any. */
export function viewersHub(foundation: Foundation, internal: Internal | null): LiveHub {
  const { db, hub, owned, clock } = foundation;
  if (internal === null) return hub;
  return remoteHub({
    local: hub,
    owned,
    clock,
    dial: internal.dial,
    findOwner: (runId) => findOwner(db, runId),
    listen: (runId, wake) => db.bell.listen(runId, wake),
  });
}

/** Terminals in the sandboxes of runs, whoever owns them. */
export function terminalsOf(foundation: Foundation, internal: Internal | null): Terminals {
  const { db, owned, clock, terminalHost } = foundation;
  return createTerminals({
    owned,
    clock,
    host: terminalHost,
    dial: internal?.dial ?? null,
    findOwner: (runId) => findOwner(db, runId),
  });
}

/** What a worker's process serves to API replicas. */
export interface InternalDoor {
  /** For each lease the worker takes: the listener answers by its id, and this is where. */
  announce(workerId: string): string;
  close(): Promise<void>;
}

/** Opens `BERTH_INTERNAL_LISTEN` (default 127.0.0.1, a free port), told to others as `BERTH_INTERNAL_URL`. */
export async function openInternalDoor(
  foundation: Foundation,
  { authority }: Internal,
  health: Health,
): Promise<InternalDoor> {
  const { env, hub, owned, log, terminalHost } = foundation;
  const { host, port } = parseListen(env['BERTH_INTERNAL_LISTEN'] ?? '127.0.0.1:0');
  const routes = {
    [framesPath]: framesRoute(hub, owned),
    [terminalPath]: terminalRoute(terminalHost),
  };
  const listener = await listenInternally({ authority, host, port, routes, health, log });
  const url = advertised(env['BERTH_INTERNAL_URL'], host, listener);
  log.info('internal address open', { url });
  return {
    announce(workerId) {
      listener.become({ role: 'worker', id: workerId });
      return url;
    },
    close: () => listener.close(),
  };
}

function advertised(given: string | undefined, host: string, { port }: InternalListener): string {
  if (given === undefined || given === '') {
    if (host !== '0.0.0.0' && host !== '::')
      return `https://${host.includes(':') ? `[${host}]` : host}:${port}`;
    throw new BerthError(
      'LISTEN_INVALID',
      'The internal address listens everywhere: others cannot tell where.',
      {
        next: 'Set BERTH_INTERNAL_URL to https://host:port as the API replicas reach this worker.',
      },
    );
  }
  const url = URL.parse(given);
  if (url?.protocol === 'https:') return url.origin;
  throw new BerthError('LISTEN_INVALID', 'BERTH_INTERNAL_URL is not https://host:port.');
}
