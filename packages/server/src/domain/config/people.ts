import { z } from 'zod';
import { roleSchema } from '../access.ts';
import { durationSchema, nameSchema, secretReferenceSchema } from './text.ts';

/** Roles by project name, beside the role on the whole installation. */
const grants = {
  /** On the installation and every project. */
  role: roleSchema.optional(),
  projects: z.record(nameSchema, roleSchema).default({}),
};

export const personSchema = z.strictObject({
  /** What sign-in answers: an e-mail address, or `<subject>@<issuer host>`. */
  id: z
    .string()
    .regex(/^[^\s@]+@[^\s@]+$/, 'an e-mail address, or <subject>@<issuer host>')
    .max(320),
  name: z.string().min(1).max(200).optional(),
  /** Named in commits of their tasks, where `proposals.coAuthor` is on; published with the code. */
  email: z.email().max(200).optional(),
  /** Cannot sign in any more; tokens and sessions end at once. */
  disabled: z.boolean().default(false),
  ...grants,
});

export const groupSchema = z.strictObject({
  name: nameSchema,
  /** Values of the group claim (or header) that make somebody a member. */
  claims: z.array(z.string().min(1).max(500)).default([]),
  /** Members by id, beside those of the claims. */
  members: z.array(z.string().min(1).max(320)).default([]),
  ...grants,
});

export const serviceAccountSchema = z.strictObject({
  name: nameSchema,
  description: z.string().max(500).default(''),
  disabled: z.boolean().default(false),
  ...grants,
});

export const signInSchema = z.strictObject({
  sessions: z
    .strictObject({ idle: durationSchema.default('12h'), absolute: durationSchema.default('7d') })
    .prefault({}),
  oidc: z
    .strictObject({
      /** Shown on the button. */
      name: z.string().min(1).max(60).default('OpenID Connect'),
      issuer: z.url({ protocol: /^https?$/ }),
      clientId: z.string().min(1),
      clientSecret: secretReferenceSchema.optional(),
      scopes: z.array(z.string().min(1)).default(['openid', 'email', 'profile']),
      groupsClaim: z.string().min(1).default('groups'),
      /** Whether somebody without any role may sign in (and sees nothing). */
      admitUnknown: z.boolean().default(false),
    })
    .optional(),
  cloudflareAccess: z
    .strictObject({
      /** `https://<team>.cloudflareaccess.com`: issuer and key set. */
      team: z.url({ protocol: /^https?$/ }),
      audience: z.string().min(1),
    })
    .optional(),
  trustedHeader: z
    .strictObject({
      /** The proxy proves itself with this value; without it the headers count for nothing. */
      secret: secretReferenceSchema,
      secretHeader: z
        .string()
        .regex(/^[A-Za-z0-9-]+$/)
        .default('X-Berth-Proxy-Secret'),
      userHeader: z
        .string()
        .regex(/^[A-Za-z0-9-]+$/)
        .default('X-Forwarded-User'),
      emailHeader: z
        .string()
        .regex(/^[A-Za-z0-9-]+$/)
        .default('X-Forwarded-Email'),
      nameHeader: z
        .string()
        .regex(/^[A-Za-z0-9-]+$/)
        .default('X-Forwarded-Preferred-Username'),
      groupsHeader: z
        .string()
        .regex(/^[A-Za-z0-9-]+$/)
        .default('X-Forwarded-Groups'),
    })
    .optional(),
});
export type SignInConfig = z.infer<typeof signInSchema>;
export type PersonConfig = z.infer<typeof personSchema>;
export type GroupConfig = z.infer<typeof groupSchema>;
export type ServiceAccountConfig = z.infer<typeof serviceAccountSchema>;
