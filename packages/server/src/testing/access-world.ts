import type { FastifyInstance } from 'fastify';
import type { Authenticator } from '../access/authenticator.ts';
import { currentRoles } from '../access/current-roles.ts';
import { revocations, type Revocations } from '../access/revocations.ts';
import { tokenAuthenticator } from '../access/token-authenticator.ts';
import { createTokens, type Tokens } from '../access/tokens.ts';
import { idempotencyIn } from '../api/access/idempotency.ts';
import { createApi } from '../api/create-api.ts';
import type { ApiOptions } from '../api/options.ts';
import { localPrincipal, type Principal } from '../domain/access.ts';
import {
  configSchema,
  type Config,
  type ConfigRevision,
  type CurrentConfig,
} from '../domain/config/index.ts';
import { BerthError } from '../domain/errors/index.ts';
import type { AuditAct, AuditReader, AuditSink } from '../domain/ports/audit.ts';
import type { ControlPlane } from '../domain/ports/control-plane.ts';
import { campaignPlane } from '../runs/campaigns/plane.ts';
import { createControlPlane } from '../runs/control-plane.ts';
import { liveHub } from '../runs/live-hub.ts';
import type { Database } from '../store/database.ts';
import { deliveryPlane } from '../triggers/deliveries/plane.ts';
import { askedPermissions } from '../triggers/forge/permissions.ts';
import { schedulePlane } from '../triggers/schedules/plane.ts';

/** A configuration that a test changes. */
export function changingConfig(first: object): CurrentConfig & { change(next: object): void } {
  let revision: ConfigRevision = { number: 1, config: parsed(first), sources: {} };
  const listeners = new Set<(revision: ConfigRevision) => void>();
  return {
    current: () => revision,
    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    change(next) {
      revision = { number: revision.number + 1, config: parsed(next), sources: {} };
      for (const listener of listeners) listener(revision);
    },
  };
}

function parsed(config: object): Config {
  return configSchema.parse({ version: 1, ...config });
}

/** A record of acts in memory. */
export function memoryAudit(): AuditSink & { readonly acts: AuditAct[] } {
  const acts: AuditAct[] = [];
  return {
    acts,
    record: async (act) => void acts.push(act),
    begin: async (act) => ({
      end: async ({ result, code, details, object }) =>
        void acts.push({
          ...act,
          result,
          code,
          object: object ?? act.object,
          details: { ...act.details, ...details },
        }),
    }),
  };
}

/** What was recorded stands in `memoryAudit`; over the API none of it is read. */
const nothingToRead: AuditReader = {
  list: async () => ({ acts: [], next: null }),
  export: async function* () {},
  verify: async function* () {},
  verifyRun: async () => {
    throw new BerthError('NOT_FOUND');
  },
};

export interface AccessWorld {
  readonly app: FastifyInstance;
  readonly controlPlane: ControlPlane;
  readonly config: ReturnType<typeof changingConfig>;
  readonly audit: ReturnType<typeof memoryAudit>;
  readonly tokens: Tokens;
  readonly revocations: Revocations;
  /** What a person of the configuration is, as the header `x-test-person` signs in. */
  person(id: string): Promise<Principal>;
  close(): Promise<void>;
}

/**
 * The API over a real control plane and database. A request says who it is by a bearer token, or by the header
 * `x-test-person` (a person of the configuration; `local` is the account of the machine).
 */
export function accessWorld(
  db: Database,
  configuration: object,
  {
    controlPlane: given,
    ...options
  }: Partial<ApiOptions> & {
    /** Instead of one that knows no configuration. */
    readonly controlPlane?: ControlPlane;
  } = {},
): AccessWorld {
  const config = changingConfig(configuration);
  const audit = memoryAudit();
  const over = revocations(db, config);
  const parts = { db, config, audit, claimsOf: async () => [], account: 'tester' };
  const tokens = createTokens({ ...parts, revocations: over });
  const bearer: Authenticator = tokenAuthenticator(parts);
  const roles = currentRoles(db, config);
  const controlPlane =
    given ??
    createControlPlane({
      db,
      hub: liveHub(),
      config: { ...config, current: () => config.current(), revision: async () => config.current() },
      redact: (value) => value,
      checkedRepository: async (repository) => repository,
      forgeOf: async () => {
        throw new BerthError('INTERNAL', 'No forge is needed here.');
      },
      mirrorOf: async () => {
        throw new BerthError('INTERNAL', 'No repository is needed here.');
      },
      diffOf: async () => '',
      doctor: async () => {
        throw new BerthError('INTERNAL', 'No doctor is needed here.');
      },
    });
  const person = async (id: string): Promise<Principal> => {
    if (id === 'local') return localPrincipal('tester');
    const identity = { kind: 'person', id, name: id, claims: [] } as const;
    return {
      ...identity,
      via: 'oidc',
      tokenId: null,
      sessionId: `n-${id}`,
      ...(await roles(identity)),
      scope: null,
    };
  };
  const app = createApi(controlPlane, {
    audit: { sink: audit, reader: nothingToRead },
    schedules: schedulePlane({ db, config, controlPlane, audit }),
    campaigns: campaignPlane(db),
    deliveries: deliveryPlane({
      db,
      config,
      controlPlane,
      audit,
      permissions: askedPermissions(db.clock),
      conversationOf: async () => null,
    }),
    tokens,
    revocations: over,
    idempotency: idempotencyIn(db),
    rates: {
      reads: { perSecond: 1e6, burst: 1e6 },
      writes: { perSecond: 1e6, burst: 1e6 },
      unknown: { perSecond: 1e6, burst: 1e6 },
    },
    authenticate: async (request) => {
      const found = await bearer.authenticate({
        method: request.method,
        url: request.url,
        headers: request.headers,
        // None over a unix socket.
        address: request.raw.socket.remoteAddress ?? '',
        secure: true,
      });
      if (found !== null) return found;
      const id = request.headers['x-test-person'];
      if (typeof id !== 'string') throw new BerthError('NOT_SIGNED_IN');
      return person(id);
    },
    ...options,
  });
  return {
    app,
    controlPlane,
    config,
    audit,
    tokens,
    revocations: over,
    person,
    async close() {
      await app.close();
      await over.close();
    },
  };
}
