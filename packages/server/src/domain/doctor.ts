import { z } from 'zod';

/** One line of `berth doctor`. */
export const doctorCheckSchema = z.object({
  /** Stable, kebab-case: `sandbox-driver`, `cgroups`, `git` … */
  id: z.string(),
  state: z.enum(['pass', 'warn', 'fail', 'skip']),
  /** What is, in a sentence. */
  sentence: z.string(),
  /** The exact command or setting that mends it. */
  fix: z.string().nullable(),
  ms: z.number(),
});
export type DoctorCheck = z.infer<typeof doctorCheckSchema>;
