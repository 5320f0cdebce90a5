import { createHash } from 'node:crypto';
import type { Config, CurrentConfig, TriggerConfig } from '../../domain/config/index.ts';
import type { DeliveryEntrance } from '../../domain/deliveries.ts';
import { BerthError } from '../../domain/errors/index.ts';
import { outsideLine } from '../../domain/outside-text.ts';
import type { Redactor } from '../../domain/ports/redaction.ts';
import type { Database } from '../../store/database.ts';
import { keepDelivery } from '../../store/deliveries/deliveries.ts';
import { toStorable } from '../../store/events/storable.ts';
import { findProject } from '../../store/runs/find-project.ts';
import { gitHubEvents, gitHubSubject } from '../forge/github-event.ts';
import { projectOnForge } from '../forge/repository.ts';
import type { HookSecrets } from './hook-secrets.ts';
import { readBody } from './read-body.ts';
import { checkSignature, type SignatureScheme } from './signature.ts';

/** Bodies of forges; theirs are capped by themselves far below, but for pushes, which are not kept. */
const forgeBodyBytes = 2_000_000;
/** Of all bodies that arrive at once. */
const mostHeldBytes = 64 * 1_048_576;

/** One request as it came; headers by lower-case name, those that came twice are not there. */
export interface HookRequest {
  readonly entrance: DeliveryEntrance;
  readonly name: string;
  readonly header: (name: string) => string | null;
}

export interface HookAnswer {
  /** Null: it can start nothing and was not kept. */
  readonly id: string | null;
  readonly repeated: boolean;
}

/** A body while it arrives. */
export interface Receiving {
  /** Takes the next piece; what is beyond the hook's own size is checked and not held. */
  update(chunk: Buffer): void;
  /**
   * The signature decides before anything is made of the body.
   * @throws BerthError `HOOK_REFUSED`, `RATE_LIMITED`, `BODY_TOO_LARGE`, `DELIVERY_INVALID`, `DELIVERIES_FULL`,
   * `DATABASE_UNAVAILABLE`
   */
  end(): Promise<HookAnswer>;
  /** Gives back what it holds; always called, also when it broke off. */
  release(): void;
}

export interface HookDoor {
  begin(request: HookRequest): Promise<Receiving>;
}

export interface HookDoorParts {
  readonly db: Database;
  readonly config: CurrentConfig;
  readonly secrets: HookSecrets;
  readonly redactor: Redactor;
  /** Takes one of a name's rate. @throws BerthError `RATE_LIMITED` */
  takeRate(name: string): void;
  /** Told why a delivery is refused: never its contents. */
  onRefused(why: {
    readonly entrance: DeliveryEntrance;
    readonly name: string;
    readonly reason: string;
  }): void;
}

/** What a name leads to now. */
interface Hook {
  readonly scheme: SignatureScheme;
  readonly header: string;
  readonly secret: string | null;
  readonly maxBytes: number;
  readonly idHeader: string | null;
  readonly reason: string;
}

/** The door that deliveries come in by: whoever has the secret of a name may put something there, and nothing else. */
export function hookDoor(parts: HookDoorParts): HookDoor {
  let held = 0;
  return {
    async begin(request) {
      const hook = await hookOf(parts, request);
      const check = checkSignature(
        hook.scheme,
        hook.secret ?? parts.secrets.decoy,
        request.header(hook.header),
        parts.db.clock.nowMs(),
      );
      let kept: Buffer[] = [];
      let bytes = 0;
      let mine = 0;
      let isOver = false;
      const release = (): void => {
        held -= mine;
        mine = 0;
        kept = [];
      };
      return {
        update(chunk) {
          check.update(chunk);
          bytes += chunk.length;
          if (isOver) return;
          if (bytes <= hook.maxBytes && held + chunk.length <= mostHeldBytes) {
            kept.push(chunk);
            held += chunk.length;
            mine += chunk.length;
            return;
          }
          isOver = true;
          release();
        },
        release,
        async end() {
          const { holds, fingerprint } = check.end();
          if (hook.secret === null || !holds) {
            const { entrance, name } = request;
            const reason =
              hook.secret === null ? hook.reason : 'its signature does not hold, or is not of now';
            parts.onRefused({ entrance, name: outsideLine(name, 63), reason });
            if (hook.secret !== null) parts.secrets.lookAgain();
            throw new BerthError('HOOK_REFUSED');
          }
          parts.takeRate(`${request.entrance} ${request.name}`);
          if (bytes > hook.maxBytes) {
            throw new BerthError('BODY_TOO_LARGE', `This hook takes ${hook.maxBytes} bytes.`);
          }
          if (isOver) throw new BerthError('OVERLOADED', 'Too many deliveries arrive at once.');
          return keep(parts, request, hook, Buffer.concat(kept), fingerprint);
        },
      };
    },
  };
}

async function keep(
  { db, config, redactor }: HookDoorParts,
  { entrance, name, header }: HookRequest,
  hook: Hook,
  raw: Buffer,
  fingerprint: string | null,
): Promise<HookAnswer> {
  const digest = createHash('sha256').update(raw).digest('hex');
  const given = hook.idHeader === null ? null : header(hook.idHeader);
  const externalId = given !== null && /^[\x21-\x7e]{1,200}$/.test(given) ? given : digest;
  const event = entrance === 'forge' ? (header('x-github-event') ?? '') : 'webhook';
  if (entrance === 'forge' && !gitHubEvents.has(event)) return { id: null, repeated: false };
  const body = readBody(raw);
  const project = await projectOf(db, config.current().config, entrance, name, body);
  const action = entrance === 'forge' ? body['action'] : undefined;
  const kept = await keepDelivery(db, {
    entrance,
    name,
    externalId: redactor.text(externalId),
    fingerprint,
    event: typeof action === 'string' && /^[a-z_]{1,50}$/.test(action) ? `${event}.${action}` : event,
    subject: entrance === 'forge' ? gitHubSubject(body) : null,
    projectId: project,
    body: JSON.stringify(toStorable(redactor.value(body))),
  });
  if (kept === 'full') throw new BerthError('DELIVERIES_FULL', undefined, { details: { retryAfterS: 60 } });
  return { id: kept.id, repeated: !kept.isNew };
}

async function projectOf(
  db: Database,
  config: Config,
  entrance: DeliveryEntrance,
  name: string,
  body: Readonly<Record<string, unknown>>,
): Promise<string | null> {
  const project =
    entrance === 'trigger'
      ? config.projects.find((one) => one.name === triggerOf(config, name)?.project)
      : projectOnForge(config, name, gitHubSubject(body)?.replace(/#\d+$/, '') ?? '');
  return project == null ? null : ((await findProject(db, project.repository))?.id ?? null);
}

function triggerOf(config: Config, name: string): Extract<TriggerConfig, { kind: 'webhook' }> | undefined {
  return config.triggers.filter((one) => one.kind === 'webhook').find((one) => one.name === name);
}

/** What nobody can sign for: takes as long as a hook that is there. */
const noHook: Omit<Hook, 'reason'> = {
  scheme: { kind: 'hmac-sha256', prefix: 'sha256=' },
  header: 'x-hub-signature-256',
  secret: null,
  maxBytes: 0,
  idHeader: null,
};

async function hookOf({ config, secrets }: HookDoorParts, { entrance, name }: HookRequest): Promise<Hook> {
  const { config: now } = config.current();
  if (entrance === 'forge') {
    const forge = now.forges.find((one) => one.name === name);
    if (forge === undefined) return { ...noHook, reason: 'there is no such forge' };
    if (forge.webhookSecret === undefined) return { ...noHook, reason: 'the forge has no webhookSecret' };
    if (forge.kind !== 'github') return { ...noHook, reason: `webhooks of ${forge.kind} are not taken` };
    const secret = await secrets.read(forge.webhookSecret);
    return {
      ...noHook,
      secret,
      maxBytes: forgeBodyBytes,
      idHeader: 'x-github-delivery',
      reason: 'its secret cannot be read',
    };
  }
  const trigger = triggerOf(now, name);
  if (trigger === undefined) return { ...noHook, reason: 'there is no such webhook trigger' };
  if (!trigger.enabled) return { ...noHook, reason: 'the trigger is switched off' };
  const { scheme, header, prefix } = trigger.signature;
  return {
    scheme: scheme === 'timestamped' ? { kind: scheme } : { kind: scheme, prefix: prefixOf(scheme, prefix) },
    header: header.toLowerCase(),
    secret: await secrets.read(trigger.secret),
    maxBytes: trigger.maxBytes,
    idHeader: trigger.idHeader?.toLowerCase() ?? null,
    reason: 'its secret cannot be read',
  };
}

/** The standard prefix is that of a signature; a bare secret has none, or `Bearer `. */
function prefixOf(scheme: 'hmac-sha256' | 'bearer', prefix: string): string {
  return scheme === 'bearer' && prefix === 'sha256=' ? 'Bearer ' : prefix;
}
