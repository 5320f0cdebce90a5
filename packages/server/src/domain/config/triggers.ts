import { z } from 'zod';
import { runLimitsSchema } from '../limits.ts';
import { nameSchema, secretReferenceSchema } from './text.ts';

/** What an author may do on the repository, from the weakest. */
export const repositoryPermissions = ['none', 'read', 'triage', 'write', 'admin'] as const;
export const repositoryPermissionSchema = z.enum(repositoryPermissions);
export type RepositoryPermission = (typeof repositoryPermissions)[number];

const common = {
  name: nameSchema,
  project: nameSchema,
  enabled: z.boolean().default(true),
  limits: runLimitsSchema.partial().default({}),
};

/** A JMESPath expression. */
const expressionSchema = z.string().min(1).max(2_000);

/** What turns an outside event into a task. */
export const triggerSchema = z.discriminatedUnion('kind', [
  /** Issues, pull requests and comments of the project's forge. */
  z.strictObject({
    kind: z.literal('forge'),
    ...common,
    on: z.strictObject({
      /** An issue gets this label. */
      label: z.string().min(1).max(200).optional(),
      /** An issue is assigned to this account. */
      assignee: z.string().min(1).max(200).optional(),
      /** A comment begins with or holds this mention: `@berth`. */
      mention: z
        .string()
        .regex(/^@[A-Za-z0-9][A-Za-z0-9-]{0,98}$/)
        .optional(),
    }),
    /** Whoever may do less on the repository starts nothing, and their text is kept from the agent. */
    authors: z.enum(['triage', 'write', 'admin']).default('write'),
  }),
  /** A signed HTTP request of anything. */
  z.strictObject({
    kind: z.literal('webhook'),
    ...common,
    secret: secretReferenceSchema,
    signature: z
      .strictObject({
        header: z
          .string()
          .regex(/^[A-Za-z0-9-]{1,100}$/)
          .default('X-Hub-Signature-256'),
        /** Before the hex digits of the HMAC-SHA256 of the raw body (`t=…,v1=…` for `timestamped`). */
        scheme: z.enum(['hmac-sha256', 'timestamped', 'bearer']).default('hmac-sha256'),
        prefix: z.string().max(50).default('sha256='),
      })
      .prefault({}),
    /** Names a delivery, so that a repeated one counts once. Absent: the digest of its body. */
    idHeader: z
      .string()
      .regex(/^[A-Za-z0-9-]{1,100}$/)
      .optional(),
    /** All must be true of the body. */
    when: z.array(expressionSchema).max(20).default([]),
    /** Parts of the body by name, for `task`. */
    values: z.record(z.string().regex(/^[a-zA-Z][a-zA-Z0-9_]{0,49}$/), expressionSchema).default({}),
    /** Text of the task; `{{name}}` stands for a value. What comes from outside is fenced and marked as such. */
    task: z.string().min(1).max(20_000),
    maxBytes: z.int().min(1_000).max(10_000_000).default(1_000_000),
  }),
]);
export type TriggerConfig = z.infer<typeof triggerSchema>;
export type ForgeTriggerConfig = Extract<TriggerConfig, { kind: 'forge' }>;
export type WebhookTriggerConfig = Extract<TriggerConfig, { kind: 'webhook' }>;
