import { z } from 'zod';
import { proposalPolicySchema } from '../proposal-policy.ts';
import { secretReferenceSchema } from './text.ts';

const account = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._/-]{0,98}$/, 'an account or team of the code host');

const common = {
  /** What a change may hold; a blueprint can only be stricter. */
  policy: proposalPolicySchema.prefault({}),
  /** Put on every pull request. */
  labels: z.array(z.string().min(1).max(50)).max(20).optional(),
  /** Asked for a review. */
  reviewers: z.array(account).max(15).optional(),
  /** Whether the requester is named as co-author, by the `email` that the configuration has of them. */
  coAuthor: z.boolean().optional(),
  /** The most that the judge may cost a run, in US dollars; it comes out of the run's own limit. */
  judgeMaxUsd: z.number().positive().max(100).optional(),
};

/** Pull requests of a project; what is absent is as the installation has it. */
export const projectProposalsSchema = z.strictObject(common);

/** Pull requests of all projects. */
export const proposalsSchema = z.strictObject({
  ...common,
  /** Who commits; `Berth <berth@berth.invalid>` where nobody is named. */
  committer: z
    .strictObject({
      name: z.string().regex(/^[^<>\n\r\0]{1,100}$/),
      email: z.email().max(200),
    })
    .optional(),
  /** Unencrypted SSH private key (Ed25519 or RSA) that signs commits. */
  signingKey: secretReferenceSchema.optional(),
});
export type ProposalsConfig = z.infer<typeof proposalsSchema>;
