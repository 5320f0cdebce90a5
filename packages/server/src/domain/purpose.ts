import { z } from 'zod';

/**
 * What a sandbox of a run is for. `work`: the agent's. `verify`: filled from the proposed tree alone, no agent
 * has acted in it. `baseline`: filled from the base commit alone, to learn what failed before the agent began.
 */
export const sandboxPurposeSchema = z.enum(['work', 'verify', 'baseline']);
export type SandboxPurpose = z.infer<typeof sandboxPurposeSchema>;
