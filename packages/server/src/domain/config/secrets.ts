import { z } from 'zod';
import { credentialPlacementSchema } from '../egress.ts';
import { nameSchema, secretReferenceSchema } from './text.ts';

/** A secret by name. A project can use it only when it is listed here for it. */
export const secretSchema = z.strictObject({
  name: nameSchema,
  from: secretReferenceSchema,
  /** Projects that may use it. */
  projects: z.array(nameSchema).min(1),
});
export type SecretConfig = z.infer<typeof secretSchema>;

const envNameSchema = z
  .string()
  .regex(/^[A-Za-z_][A-Za-z0-9_]*$/)
  .max(200);

/** A credential that the worker puts on requests to one host; the sandbox never holds it. */
export const credentialSchema = z.strictObject({
  name: nameSchema,
  /** Name of a secret that is listed for the project. */
  secret: nameSchema,
  /** Exactly one host; a pattern would let others ask for it. */
  host: z
    .string()
    .regex(/^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$/i, 'a host name, no pattern'),
  port: z.int().min(1).max(65_535).default(443),
  /** Only requests to these paths and below get it; absent: all of the host. */
  paths: z
    .array(z.string().regex(/^\/[^\s?#]*$/))
    .min(1)
    .optional(),
  placement: credentialPlacementSchema,
  /** Variable inside the sandbox that holds the placeholder, for tools that want one; absent: none. */
  env: envNameSchema.optional(),
});
export type CredentialConfig = z.infer<typeof credentialSchema>;

/** A secret handed to sandboxes as a variable: exposed, and shown as such. */
export const forwardEnvSchema = z.strictObject({ name: envNameSchema, secret: nameSchema });
export type ForwardEnvConfig = z.infer<typeof forwardEnvSchema>;

/** Servers that `${op:…}` and the like ask. */
export const secretSourcesSchema = z.strictObject({
  /** A 1Password Connect server of your own. */
  onePassword: z
    .strictObject({
      url: z.url({ protocol: /^https?$/ }),
      /** Its access token; not itself in 1Password. */
      token: secretReferenceSchema,
    })
    .optional(),
});
export type SecretSourcesConfig = z.infer<typeof secretSourcesSchema>;
