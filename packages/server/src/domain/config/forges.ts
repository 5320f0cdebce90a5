import { z } from 'zod';
import { nameSchema, secretReferenceSchema } from './text.ts';

const addressSchema = z.url({ protocol: /^https?$/ }).max(2_000);

const common = {
  name: nameSchema,
  /** Of its pages and clones, without a path of a repository: `https://github.example.com`. */
  url: addressSchema,
  /** Of its API, where it does not follow from `url`. */
  apiUrl: addressSchema.optional(),
  /** Certificates (PEM) that are trusted beside the system's: those of a private authority. */
  ca: secretReferenceSchema.optional(),
  /** Signs what the forge sends us; without it no webhook of this forge is taken. */
  webhookSecret: secretReferenceSchema.optional(),
};

/** A GitHub App: tokens are minted when they are used, for one repository and an hour. */
export const gitHubAppSchema = z.strictObject({
  id: z.union([z.int().positive().transform(String), z.string().regex(/^[A-Za-z0-9.]+$/)]),
  /** PEM. */
  privateKey: secretReferenceSchema,
});

/** A code host. Projects find theirs by the host of their repository's address, or name it. */
export const forgeSchema = z.discriminatedUnion('kind', [
  z
    .strictObject({
      kind: z.literal('github'),
      ...common,
      url: addressSchema.default('https://github.com'),
      app: gitHubAppSchema.optional(),
      /** A fine-grained token: the simple way. */
      token: secretReferenceSchema.optional(),
    })
    .refine((forge) => (forge.app === undefined) !== (forge.token === undefined), 'wanted is app or token'),
  z.strictObject({
    kind: z.literal('gitlab'),
    ...common,
    url: addressSchema.default('https://gitlab.com'),
    /** A project, group or personal access token with `api`. */
    token: secretReferenceSchema,
  }),
  z.strictObject({
    kind: z.literal('bitbucket'),
    ...common,
    /** `cloud` is bitbucket.org; `data-center` one's own. */
    edition: z.enum(['data-center', 'cloud']).default('data-center'),
    user: z.string().max(320).optional(),
    token: secretReferenceSchema,
  }),
  z.strictObject({ kind: z.literal('gitea'), ...common, token: secretReferenceSchema }),
]);
export type ForgeConfig = z.infer<typeof forgeSchema>;
export type GitHubAppConfig = z.infer<typeof gitHubAppSchema>;
