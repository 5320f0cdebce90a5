import { z } from 'zod';
import { egressSectionSchema } from './egress.ts';
import { forgeSchema } from './forges.ts';
import { limitsSchema } from './limits.ts';
import { groupSchema, personSchema, serviceAccountSchema, signInSchema } from './people.ts';
import { notificationsSchema } from './notifications.ts';
import { proposalsSchema } from './proposals.ts';
import { gatesSchema, modelsSchema, projectConfigSchema } from './projects.ts';
import { sandboxProfileSchema } from './sandboxes.ts';
import { secretSchema, secretSourcesSchema } from './secrets.ts';
import { scheduleSchema } from './schedules.ts';
import { durationSchema, secretReferenceSchema } from './text.ts';
import { triggerSchema } from './triggers.ts';

export * from './egress.ts';
export * from './forges.ts';
export * from './limits.ts';
export * from './notifications.ts';
export * from './people.ts';
export * from './projects.ts';
export * from './proposals.ts';
export * from './sandboxes.ts';
export * from './schedules.ts';
export * from './secrets.ts';
export * from './text.ts';
export * from './triggers.ts';

/**
 * The configuration of an installation, as `berth.yaml` writes it. Two layers of this one shape make what counts: the
 * file, and what was made over the API; an object of the file hides one of the same name from the API. Each change
 * of what counts is a numbered revision.
 */
export const configSchema = z
  .strictObject({
    version: z.literal(1),
    server: z
      .strictObject({
        /** What people and links use; behind a proxy it differs from `listen`. */
        publicUrl: z.url({ protocol: /^https?$/ }).optional(),
        listen: z
          .string()
          .regex(/^(\[[0-9a-fA-F:.]+\]|[^:\s]+):\d{1,5}$/, 'host:port')
          .default('127.0.0.1:7420'),
        /** Addresses of proxies whose `X-Forwarded-For` is believed. */
        trustedProxies: z.array(z.string()).default([]),
      })
      .prefault({}),
    signIn: signInSchema.prefault({}),
    people: z.array(personSchema).default([]),
    groups: z.array(groupSchema).default([]),
    serviceAccounts: z.array(serviceAccountSchema).default([]),
    models: modelsSchema.prefault({}),
    limits: limitsSchema.prefault({}),
    egress: egressSectionSchema.prefault({}),
    sandboxes: z.array(sandboxProfileSchema).default([]),
    /** Secrets that projects may use, each for the projects it names. */
    secrets: z.array(secretSchema).default([]),
    /** Servers that secrets are read from. */
    secretSources: secretSourcesSchema.prefault({}),
    /** For projects that have none of their own. */
    gates: gatesSchema.prefault({}),
    /** Commits and pull requests. */
    proposals: proposalsSchema.prefault({}),
    projects: z.array(projectConfigSchema).default([]),
    /** Code hosts; a repository on none of them, or on this machine, has Berth's own local forge. */
    forges: z.array(forgeSchema).default([]),
    schedules: z.array(scheduleSchema).default([]),
    triggers: z.array(triggerSchema).default([]),
    notifications: notificationsSchema.prefault({}),
    audit: z
      .strictObject({
        /** Older entries are cut off, with a signed cut point; absent: kept for ever. */
        keepFor: durationSchema.optional(),
        /** Ed25519 key that signs the head, PEM (PKCS 8); absent: one is made in the data directory. */
        signingKey: secretReferenceSchema.optional(),
      })
      .prefault({}),
  })
  .superRefine((config, context) => {
    for (const [section, key] of namedSections) {
      const seen = new Set<string>();
      for (const [place, entry] of (
        config[section] as readonly Readonly<Record<string, unknown>>[]
      ).entries()) {
        const name = String(entry[key]);
        if (seen.has(name)) {
          context.addIssue({
            code: 'custom',
            path: [section, place, key],
            message: `${name} is there twice`,
          });
        }
        seen.add(name);
      }
    }
  });
export type Config = z.infer<typeof configSchema>;

/** Sections that are lists of named objects, with the key that names them. */
export const namedSections = [
  ['projects', 'name'],
  ['people', 'id'],
  ['groups', 'name'],
  ['serviceAccounts', 'name'],
  ['sandboxes', 'name'],
  ['secrets', 'name'],
  ['schedules', 'name'],
  ['forges', 'name'],
  ['triggers', 'name'],
] as const satisfies readonly (readonly [keyof Config, string])[];
export type NamedSection = (typeof namedSections)[number][0];

/** Where an object or setting comes from. */
export type ConfigSource = 'default' | 'file' | 'database';

/** What counts now, with the number under which runs pin it. Deeply frozen. */
export interface ConfigRevision {
  /** 0: nothing was ever configured. */
  readonly number: number;
  readonly config: Config;
  /** Source of each named object, by `<section>/<name>`, and of each other top-level section by its key. */
  readonly sources: Readonly<Record<string, ConfigSource>>;
}

/** The newest revision, and word of each new one. Held by `config/`; rooms get it handed in. */
export interface CurrentConfig {
  current(): ConfigRevision;
  /** Called after `current` changed. Returns the way to stop. */
  onChange(listener: (revision: ConfigRevision) => void): () => void;
}

export const emptyConfig: Config = configSchema.parse({ version: 1 });

/** A configuration that never changes; where there is none, and in tests. */
export function fixedConfig(config: Config = emptyConfig): CurrentConfig {
  const revision: ConfigRevision = { number: 0, config, sources: {} };
  return { current: () => revision, onChange: () => () => undefined };
}
