import { z } from 'zod';
import { defineTool } from './tool.ts';

export const finishSchema = z.object({
  result: z
    .enum(['done', 'gave-up'])
    .describe('done: the task is carried out. gave-up: it cannot be, and summary says why.'),
  summary: z
    .string()
    .min(1)
    .max(8000)
    .describe('For the pull request: what was changed and why, what was checked, what is left open.'),
});

/** Ends the agent's step; what it says is never taken as proof of anything. */
export const finish = defineTool({
  name: 'finish',
  description:
    'Ends your work. Call it alone, after you have looked at the results of everything else. Berth then runs the checks itself.',
  kind: 'control',
  input: finishSchema,
  run: async (call) =>
    await Promise.resolve({
      text: 'Noted. Berth checks the result now.',
      isError: false,
      summary: `finish: ${call.result}`,
    }),
});
