import type { FastifyInstance, LightMyRequestResponse } from 'fastify';
import { createHmac, randomUUID } from 'node:crypto';
import { sql } from 'kysely';
import { createApi } from '../api/create-api.ts';
import { localPrincipal } from '../domain/access.ts';
import type { BerthError } from '../domain/errors/index.ts';
import type { ControlPlane } from '../domain/ports/control-plane.ts';
import type { Database } from '../store/database.ts';
import { ensureProject } from '../store/runs/ensure-project.ts';
import { createRedactor } from '../secrets/redactor.ts';
import { hookSecrets } from '../triggers/deliveries/hook-secrets.ts';
import { deliveryPlane } from '../triggers/deliveries/plane.ts';
import { hookDoor } from '../triggers/deliveries/receive.ts';
import { askedPermissions } from '../triggers/forge/permissions.ts';
import type { ForgeTriggerParts } from '../triggers/forge/process.ts';
import { FakeConversation } from './fake-conversation.ts';
import { MemoryAuditSink } from './memory-audit-sink.ts';
import { handingInPlane, pinnedConfig } from './schedule-world.ts';

export const forgeSecret = 'the secret of the forge';
export const hookSecret = 'the secret of the alerts';
export const webRepository = 'https://github.example.com/acme/web.git';

export const deliveryConfig = {
  forges: [
    {
      kind: 'github',
      name: 'hub',
      url: 'https://github.example.com',
      token: '${env:TOKEN}',
      webhookSecret: '${env:FORGE_HOOK}',
    },
    {
      kind: 'github',
      name: 'other',
      url: 'https://github.other.example',
      token: '${env:TOKEN}',
      webhookSecret: '${env:FORGE_HOOK}',
    },
  ],
  projects: [{ name: 'web', repository: webRepository }],
  triggers: [
    { kind: 'forge', name: 'labels', project: 'web', on: { label: 'berth', assignee: 'berth-app' } },
    { kind: 'forge', name: 'mentions', project: 'web', on: { mention: '@berth' } },
    {
      kind: 'webhook',
      name: 'alerts',
      project: 'web',
      secret: '${env:HOOK}',
      idHeader: 'X-Alert-Id',
      when: ["severity == 'high'"],
      values: { title: 'title', log: 'details.log' },
      task: 'Look into {{title}}\n\n{{log}}',
      maxBytes: 100_000,
    },
    {
      kind: 'webhook',
      name: 'timed',
      project: 'web',
      secret: '${env:HOOK}',
      signature: { header: 'X-Signature', scheme: 'timestamped' },
      idHeader: 'X-Alert-Id',
      task: 'Do it',
    },
    {
      kind: 'webhook',
      name: 'bare',
      project: 'web',
      secret: '${env:HOOK}',
      signature: { header: 'Authorization', scheme: 'bearer' },
      task: 'Do it',
    },
  ],
};

export interface DeliveryWorld {
  readonly app: FastifyInstance;
  readonly config: ReturnType<typeof pinnedConfig>;
  readonly conversation: FakeConversation;
  readonly audit: MemoryAuditSink;
  readonly parts: ForgeTriggerParts;
  readonly controlPlane: ControlPlane;
  readonly projectId: string;
  readonly refused: { readonly name: string; readonly reason: string }[];
  readonly problems: BerthError[];
  /** Sends an event of GitHub, signed. */
  forge(
    event: string,
    body: object,
    options?: { readonly id?: string; readonly forge?: string },
  ): Promise<LightMyRequestResponse>;
  tasks(): Promise<
    readonly {
      readonly id: string;
      readonly title: string;
      readonly text: string;
      readonly owner: string;
      readonly origin: { readonly kind: string; readonly by: string; readonly url: string | null };
    }[]
  >;
  close(): Promise<void>;
}

/** The way of a delivery from its door to its task, with a fake code host and without a queue. */
export async function deliveryWorld(
  db: Database,
  options: { readonly takeRate?: (name: string) => void; readonly conversation?: FakeConversation } = {},
): Promise<DeliveryWorld> {
  await sql`truncate deliveries, trigger_objects, trigger_acknowledgements, tasks cascade`.execute(db.sql);
  const config = pinnedConfig(deliveryConfig);
  const controlPlane = handingInPlane(db, config);
  const audit = new MemoryAuditSink();
  const conversation = options.conversation ?? new FakeConversation();
  conversation.permissions.set('alice', 'write').set('bob', 'write').set('mallory', 'read');
  const { id: projectId } = await ensureProject(db, { name: 'web', repository: webRepository });
  const secrets: Readonly<Record<string, string>> = {
    '${env:FORGE_HOOK}': forgeSecret,
    '${env:HOOK}': hookSecret,
  };
  const refused: { name: string; reason: string }[] = [];
  const ready = hookSecrets(config, db.clock, async (reference) => secrets[reference] ?? '');
  const parts: ForgeTriggerParts = {
    db,
    config,
    controlPlane,
    audit,
    permissions: askedPermissions(db.clock),
    conversationOf: async () => conversation,
  };
  const app = createApi(controlPlane, {
    authenticate: async () => localPrincipal('tester'),
    audit: { sink: audit, reader: { list: none, export: none, verify: none, verifyRun: none } },
    deliveries: deliveryPlane(parts),
    hooks: hookDoor({
      db,
      config,
      secrets: ready,
      redactor: createRedactor([{ name: 'KNOWN', value: 'sk-known-secret-value' }]),
      takeRate: options.takeRate ?? (() => undefined),
      onRefused: (why) => refused.push(why),
    }),
  });
  await app.ready();
  return {
    app,
    config,
    conversation,
    audit,
    parts,
    controlPlane,
    projectId,
    refused,
    problems: [],
    forge(event, body, { id = randomUUID(), forge = 'hub' } = {}) {
      const payload = JSON.stringify(body);
      return app.inject({
        method: 'POST',
        url: `/api/v1/hooks/forges/${forge}`,
        headers: {
          'content-type': 'application/json',
          'x-github-event': event,
          'x-github-delivery': id,
          'x-hub-signature-256': signed(forgeSecret, payload),
        },
        payload,
      });
    },
    async tasks() {
      const rows = await db.sql
        .selectFrom('tasks')
        .select(['id', 'title', 'text', 'owner', 'origin'])
        .orderBy('id')
        .execute();
      return rows.map((row) => ({
        ...row,
        origin: row.origin as { kind: string; by: string; url: string | null },
      }));
    },
    async close() {
      ready.close();
      await app.close();
    },
  };
}

const none = (): never => {
  throw new Error('nothing is read here');
};

export function signed(secret: string, payload: string | Buffer): string {
  return `sha256=${createHmac('sha256', secret).update(payload).digest('hex')}`;
}

/** Bodies of GitHub as far as they are looked at. */
export function issueEvent(action: string, number: number, sender: string, more: object = {}): object {
  return {
    action,
    sender: { login: sender, type: 'User' },
    repository: { full_name: 'acme/web' },
    issue: { number, body: `Body of ${number}`, user: { login: sender, type: 'User' } },
    ...more,
  };
}

export function labelled(number: number, sender: string, label = 'berth'): object {
  return issueEvent('labeled', number, sender, { label: { name: label } });
}

export function commented(number: number, sender: string, body: string, type = 'User'): object {
  return {
    ...issueEvent('created', number, sender),
    sender: { login: sender, type },
    comment: { body, user: { login: sender, type } },
  };
}
